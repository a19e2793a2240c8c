#include "softdpu/jit/conv_ymm.hpp"

namespace nerone::softdpu::jit {

using Xbyak::Xmm;
using Xbyak::Ymm;

void ConvKernel::YmmGenerator::add_half_bits(const Ymm& sum, int channel) {
  vpbroadcastd(weight_, ptr[half_bits_ + channel * 4]);
  vpaddd(sum, sum, weight_);
}

// Both halves are made at once: where the even pixels were, and in the register of products.
Ymm ConvKernel::YmmGenerator::interleaved(int half, const Ymm& evens, const Ymm& odds) {
  if (half == 1) return product_;
  vpunpckldq(product_, evens, odds);
  vpunpckhdq(weight_, evens, odds);
  vperm2i128(evens, product_, weight_, 0x20);
  vperm2i128(product_, product_, weight_, 0x31);
  return evens;
}

void ConvKernel::YmmGenerator::zero_from(const Ymm& bytes, int pixel) {
  unsigned behind = 0;
  for (int lane = 0; lane < lanes_in_register(); ++lane) {
    if (lane % row_lanes() >= pixel) behind |= 1U << lane;
  }
  vpblendd(bytes, bytes, zeros(), static_cast<std::uint8_t>(behind));
}

void ConvKernel::YmmGenerator::store_rows(std::ptrdiff_t offset, const Ymm& bytes) {
  const auto row = [&](int i) { return ptr[output_ + (offset + i * grid_row_bytes())]; };
  const Xmm low(bytes.getIdx()), high(product_.getIdx());
  if (plan_.fold == 1) return vmovdqu(row(0), bytes);
  if (plan_.fold == 2) {
    vmovdqu(row(0), low);
    return vextracti128(row(1), bytes, 1);
  }
  vmovq(row(0), low);
  vmovhps(row(1), low);
  vextracti128(high, bytes, 1);
  vmovq(row(2), high);
  vmovhps(row(3), high);
}

// As many bytes as one row has in a register.
void ConvKernel::YmmGenerator::store_zeros(std::ptrdiff_t offset_in_block) {
  const auto to = ptr[output_block_ + offset_in_block];
  const Xmm half(weight_.getIdx());
  if (plan_.fold == 1) return vmovdqu(to, weight_);
  if (plan_.fold == 2) return vmovdqu(to, half);
  vmovq(to, half);
}

void ConvKernel::YmmGenerator::emit_tables() {
  align(64);
  emit_constants();
}

}  // namespace nerone::softdpu::jit
