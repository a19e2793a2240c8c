#include "softdpu/jit/conv_zmm.hpp"

namespace nerone::softdpu::jit {

using Xbyak::Opmask;
using Xbyak::Zmm;

void ConvKernel::ZmmGenerator::limit_above(const Zmm& bytes) {
  vpbroadcastd(scratch(0), ptr[rip + constants_ + offset_of(ConvConstant::high_byte)]);
  vpminub(bytes, bytes, scratch(0));
}

Zmm ConvKernel::ZmmGenerator::interleaved(int half, const Zmm& evens, const Zmm& odds) {
  const Zmm bytes = scratch(half);
  vmovdqa32(bytes, evens);
  vpermt2d(bytes, half == 0 ? low_half_ : high_half_, odds);
  return bytes;
}

// One mask for each half of an interleaved pair; at most one half is cut.
void ConvKernel::ZmmGenerator::zero_from(const Zmm& bytes, int pixel) {
  const Opmask mask(pixel == pixels_at_edge(0) ? 1 : 2);
  vpblendmd(bytes | mask, zeros_, bytes);
}

void ConvKernel::ZmmGenerator::store_rows(std::ptrdiff_t offset, const Zmm& bytes) {
  if (plan_.fold == 1) return store_row(output_, offset, bytes);
  for (int row = 0; row < plan_.fold; ++row) {
    const auto to = ptr[output_ + (offset + row * grid_row_bytes())];
    if (plan_.fold == 2) {
      vextracti64x4(to, bytes, static_cast<std::uint8_t>(row));
    } else {
      vextracti32x4(to, bytes, static_cast<std::uint8_t>(row));
    }
  }
}

// As many bytes as one row has in a register.
void ConvKernel::ZmmGenerator::store_row(const Xbyak::Reg64& base, std::ptrdiff_t offset, const Zmm& bytes) {
  if (plan_.fold == 1) {
    vmovdqa32(ptr[base + offset], bytes);
  } else if (plan_.fold == 2) {
    vmovdqa32(ptr[base + offset], Xbyak::Ymm(bytes.getIdx()));
  } else {
    vmovdqa32(ptr[base + offset], Xbyak::Xmm(bytes.getIdx()));
  }
}

void ConvKernel::ZmmGenerator::emit_tables() {
  align(64);
  L(low_half_table_);
  for (int i = 0; i < lanes; ++i) dd(static_cast<std::uint32_t>(i / 2 + (i % 2) * lanes));
  L(high_half_table_);
  for (int i = 0; i < lanes; ++i) dd(static_cast<std::uint32_t>(lanes / 2 + i / 2 + (i % 2) * lanes));
  L(evens_table_);
  const int step = shape_.grid.step_x;
  for (int i = 0; i < lanes; ++i) dd(static_cast<std::uint32_t>(step > 2 ? i * step * group_channels : i * step));
  L(transpose_table_);
  for (int i = 0; i < 4; ++i) dd(dword_of(ConvConstant::transpose, shape_.requantize, i));
  emit_constants();
}

}  // namespace nerone::softdpu::jit
