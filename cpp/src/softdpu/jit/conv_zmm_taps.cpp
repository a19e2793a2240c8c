#include "softdpu/jit/conv_zmm.hpp"

namespace nerone::softdpu::jit {

using Xbyak::Zmm;

void ConvKernel::ZmmGenerator::load_constants() {
  mov(eax, 0x80808080);
  vpbroadcastd(zeros_, eax);
  vbroadcasti32x4(transpose_, ptr[rip + transpose_table_]);
  if (store_phases() > 1) {
    vmovdqa32(low_half_, ptr[rip + low_half_table_]);
    vmovdqa32(high_half_, ptr[rip + high_half_table_]);
  }
  if (shape_.grid.step_x > 1) vmovdqa32(evens_, ptr[rip + evens_table_]);
  for (int half = 0; half < store_phases() && has_edge(); ++half) {
    const int pixels = pixels_at_edge(half * lanes);
    if (pixels <= 0 || pixels >= row_lanes()) continue;
    unsigned mask = 0;
    for (int row = 0; row < plan_.fold; ++row) mask |= ((1U << pixels) - 1) << (row * row_lanes());
    mov(eax, mask);
    kmovw(Xbyak::Opmask(1 + half), eax);
  }
}

void ConvKernel::ZmmGenerator::emit_tap(const Tile& tile, const Tap& tap, std::ptrdiff_t group_offset,
                                        std::ptrdiff_t& weight_offset) {
  const int pixels = plan_.rows * tile.blocks;
  for (int i = 0; i < pixels; ++i) {
    load_pixels(scratch(i), group_offset + pixel_offset(tap, i / tile.blocks, i % tile.blocks));
  }
  for (int phase = 0; phase < shape_.grid.phases; ++phase) {
    if (tap.source[static_cast<std::size_t>(phase)] < 0) continue;
    for (int channel = 0; channel < tile.channels; ++channel, weight_offset += group_channels) {
      const Zmm first = sum(tile, phase, channel, 0, 0);
      if (pixels == 1) {
        vpdpbusd(first, scratch(0), ptr_b[group_weights_ + weight_offset]);
        continue;
      }
      const Zmm weights = scratch(pixels + channel % 2);
      vpbroadcastd(weights, ptr[group_weights_ + weight_offset]);
      for (int i = 0; i < pixels; ++i) vpdpbusd(Zmm(first.getIdx() + i), scratch(i), weights);
    }
  }
}

void ConvKernel::ZmmGenerator::load_pixels(const Zmm& to, std::ptrdiff_t offset) {
  const auto row = [&](int i) { return group_input_ + (offset + i * shape_.grid.step_y * shape_.input.row); };
  if (plan_.fold == 2 && shape_.grid.step_x == 2) {
    // Every other of one row's 16 pixels, then of the next row's.
    vmovdqu32(to, ptr[row(0)]);
    vpermt2d(to, evens_, ptr[row(1)]);
    return;
  }
  if (plan_.fold == 2) {
    vmovdqu32(Xbyak::Ymm(to.getIdx()), ptr[row(0)]);
    vinserti64x4(to, to, ptr[row(1)], 1);
    return;
  }
  if (plan_.fold == 4) {
    vmovdqu32(Xbyak::Xmm(to.getIdx()), ptr[row(0)]);
    for (int i = 1; i < 4; ++i) vinserti32x4(to, to, ptr[row(i)], static_cast<std::uint8_t>(i));
    return;
  }
  if (shape_.grid.step_x <= 2) {
    vmovdqu32(to, ptr[group_input_ + offset]);
    if (shape_.grid.step_x == 2) vpermt2d(to, evens_, ptr[group_input_ + (offset + vector_bytes)]);
    return;
  }
  kxnorw(k7, k7, k7);
  vpgatherdd(to | k7, ptr[group_input_ + evens_ + offset]);
}

}  // namespace nerone::softdpu::jit
