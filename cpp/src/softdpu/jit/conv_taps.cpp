#include <algorithm>

#include "softdpu/jit/conv_generator.hpp"

namespace nerone::softdpu::jit {

using Xbyak::Zmm;

Zmm ConvKernel::Generator::sum(const Tile& tile, int phase, int channel, int row, int block) const {
  return Zmm(((phase * tile.channels + channel) * plan_.rows + row) * tile.blocks + block);
}

Zmm ConvKernel::Generator::scratch(int index) const { return Zmm(plan_.accumulators(shape_.grid.phases) + index); }

void ConvKernel::Generator::emit_tile(const Tile& tile) {
  if (shape_.first_sums) {
    start_from_sums(tile);
  } else {
    start_from_bias(tile);
  }
  if (shape_.input_groups > 0) emit_groups(tile);
  if (shape_.stores_sums) {
    store_sums(tile);
  } else {
    emit_stores(tile);
  }
}

void ConvKernel::Generator::start_from_sums(const Tile& tile) {
  const auto& strides = *shape_.first_sums;
  for (int channel = 0; channel < tile.channels; ++channel) {
    for (int row = 0; row < plan_.rows; ++row) {
      for (int block = 0; block < tile.blocks; ++block) {
        const auto offset = row * strides.row + channel * strides.group / group_channels +
                            static_cast<std::ptrdiff_t>(block) * vector_bytes;
        vmovdqu32(sum(tile, 0, channel, row, block), ptr[sums_ + offset]);
      }
    }
  }
}

void ConvKernel::Generator::start_from_bias(const Tile& tile) {
  for (int channel = 0; channel < tile.channels; ++channel) {
    for (int phase = 0; phase < shape_.grid.phases; ++phase) {
      const Zmm first = sum(tile, phase, channel, 0, 0);
      vpbroadcastd(first, ptr[bias_ + (channel * shape_.grid.phases + phase) * 4]);
      for (int i = 1; i < plan_.rows * tile.blocks; ++i) vmovdqa32(Zmm(first.getIdx() + i), first);
    }
  }
}

void ConvKernel::Generator::emit_groups(const Tile& tile) {
  constexpr int unrolled_taps = 9;
  const int groups = shape_.depthwise ? 1 : shape_.input_groups;
  const int taps = static_cast<int>(shape_.grid.taps.size());
  int unroll = std::clamp(unrolled_taps / std::max(taps, 1), 1, groups);
  while (groups % unroll != 0) --unroll;
  mov(group_input_, input_);
  mov(group_weights_, weights_);
  repeat(groups / unroll, groups_left_, [&] {
    std::ptrdiff_t weight_offset = 0;
    for (int group = 0; group < unroll; ++group) {
      for (const auto& tap : shape_.grid.taps) emit_tap(tile, tap, group * shape_.input.group, weight_offset);
    }
    if (groups == unroll) return;
    add_bytes(group_input_, unroll * shape_.input.group);
    add_bytes(group_weights_, weight_offset);
  });
}

void ConvKernel::Generator::emit_tap(const Tile& tile, const Tap& tap, std::ptrdiff_t group_offset,
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

std::ptrdiff_t ConvKernel::Generator::pixel_offset(const Tap& tap, int row, int block) const {
  const auto& grid = shape_.grid;
  return (tap.row + row * plan_.fold * grid.step_y) * shape_.input.row +
         static_cast<std::ptrdiff_t>(tap.column + block * lanes * grid.step_x) * group_channels;
}

void ConvKernel::Generator::load_pixels(const Zmm& to, std::ptrdiff_t offset) {
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
