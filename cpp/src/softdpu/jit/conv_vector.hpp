#pragma once

// How sums begin, become bytes and are stored: the code that all instruction sets share, over a trait.
//
// `Set`, the generator of one instruction set, derives from this class and gives it
//   constants, constant_dwords      which ConvConstants lie behind the code, in which order, and how many dwords of
//   each load, save, copy                moves of a whole register constant(c), zeros, transpose   operands: memory,
//   broadcast memory or a register flip, limit_above               the sign bits of all bytes; the activation's upper
//   bound add_half_bits                   of a channel, to a sum negative, positive_of           registers for
//   LEAKYRELU's two values of a sum mark_negative, take_by_sign     before the sum changes; after both values are made
//   interleaved(half, evens, odds)  half of the pixels of two phases; called for half 0, then for half 1
//   zero_from(bytes, pixel)         writes zeros over the pixels from this one of a row on
//   store_rows                      to as many rows as a register holds

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "softdpu/jit/conv_constants.hpp"
#include "softdpu/jit/conv_generator.hpp"

namespace nerone::softdpu::jit {

template <class Set, class Register>
class ConvKernel::VectorGenerator : public Generator {
 protected:
  using Generator::Generator;

  Register sum(const Tile& tile, int phase, int channel, int row, int block) const {
    return Register(sum_index(tile, phase, channel, row, block));
  }
  // Registers behind the sums, which hold pixels and weights in the inner loop.
  Register scratch(int index) const { return Register(first_scratch() + index); }

  int offset_of(ConvConstant constant) const {
    const auto* const at = std::find(std::begin(Set::constants), std::end(Set::constants), constant);
    return static_cast<int>(at - std::begin(Set::constants)) * Set::constant_dwords * 4;
  }
  void emit_constants() {
    L(constants_);
    for (const auto constant : Set::constants) {
      for (int i = 0; i < Set::constant_dwords; ++i) dd(dword_of(constant, shape_.requantize, i));
    }
  }

  Xbyak::Label constants_;

 private:
  Set& set() { return static_cast<Set&>(*this); }

  void start_from_bias(const Tile& tile) final {
    for (int channel = 0; channel < tile.channels; ++channel) {
      for (int phase = 0; phase < shape_.grid.phases; ++phase) {
        const Register first = sum(tile, phase, channel, 0, 0);
        vpbroadcastd(first, ptr[bias_ + (channel * shape_.grid.phases + phase) * 4]);
        for (int i = 1; i < plan_.rows * tile.blocks; ++i) set().copy(Register(first.getIdx() + i), first);
      }
    }
  }

  void start_from_sums(const Tile& tile) final {
    const auto& strides = *shape_.first_sums;
    for (int channel = 0; channel < tile.channels; ++channel) {
      for (int row = 0; row < plan_.rows; ++row) {
        for (int block = 0; block < tile.blocks; ++block) {
          const auto offset = row * strides.row + channel * strides.group / group_channels + block * register_bytes();
          set().load(sum(tile, 0, channel, row, block), ptr[sums_ + offset]);
        }
      }
    }
  }

  void store_sum(std::ptrdiff_t offset, int sum) final { set().save(ptr[output_ + offset], Register(sum)); }

  void requantize(const Tile& tile, int phase, int channel, int count, int row, int block) final {
    Register sums[group_channels];
    for (int i = 0; i < count; ++i) sums[i] = sum(tile, phase, channel + i, row, block);
    switch (shape_.requantize.kind) {
      case Requantize::Kind::right:
        requantize_right(sums, count);
        break;
      case Requantize::Kind::left:
        requantize_left(sums, count, channel);
        break;
      case Requantize::Kind::leaky:
        requantize_leaky(sums, count, channel);
        break;
    }
    if (shape_.requantize.low > 0) vpmaxub(sums[0], sums[0], set().zeros());
    if (shape_.requantize.high < 255) set().limit_above(sums[0]);
    vpshufb(sums[0], sums[0], set().transpose());
  }

  void requantize_right(const Register* sums, int count) {
    // Saturated to 16 bits first, a value still gives 255 after a shift of up to 7: 32767 >> 7 = 255.
    constexpr int max_word_shift = 7;
    const auto shift = static_cast<std::uint8_t>(shape_.requantize.shift);
    const Register &second = sums[std::min(1, count - 1)], &third = sums[std::min(2, count - 1)],
                   &fourth = sums[count - 1];
    for (int i = 0; i < count && shift > max_word_shift; ++i) vpsrad(sums[i], sums[i], shift);
    vpackssdw(sums[0], sums[0], second);
    if (count > 2) vpackssdw(third, third, fourth);
    const Register& upper = count > 2 ? third : sums[0];
    if (shift > 0 && shift <= max_word_shift) {
      vpsraw(sums[0], sums[0], shift);
      if (count > 2) vpsraw(upper, upper, shift);
    }
    vpackuswb(sums[0], sums[0], upper);
  }

  // Doubled, with the half bit of the bias; of the leaky rule this is only the beginning.
  void requantize_left(const Register* sums, int count, int channel) {
    const bool leaky = shape_.requantize.kind == Requantize::Kind::leaky;
    for (int i = 0; i < count; ++i) {
      vpminsd(sums[i], sums[i], set().constant(ConvConstant::most));
      vpmaxsd(sums[i], sums[i], set().constant(ConvConstant::least));
      vpslld(sums[i], sums[i], 1);
      set().add_half_bits(sums[i], channel + i);
      if (!leaky) vpslld(sums[i], sums[i], static_cast<std::uint8_t>(shape_.requantize.shift));
    }
    if (!leaky) pack_signed(sums, count);
  }

  void requantize_leaky(const Register* sums, int count, int channel) {
    const int shift = shape_.requantize.shift;
    requantize_left(sums, count, channel);
    for (int i = 0; i < count; ++i) {
      const Register negative = set().negative(), positive = set().positive_of(sums[i]);
      set().mark_negative(sums[i]);
      vpmulld(negative, sums[i], set().constant(ConvConstant::leaky_factor));
      vpaddd(negative, negative, set().constant(ConvConstant::leaky_round));
      vpsrad(negative, negative, static_cast<std::uint8_t>(shift + 9));
      vpaddd(positive, sums[i], set().constant(ConvConstant::round));
      vpsrad(positive, positive, static_cast<std::uint8_t>(shift + 1));
      set().take_by_sign(sums[i]);
    }
    pack_signed(sums, count);
  }

  void pack_signed(const Register* sums, int count) {
    const Register& third = sums[std::min(2, count - 1)];
    vpackssdw(sums[0], sums[0], sums[std::min(1, count - 1)]);
    if (count > 2) vpackssdw(third, third, sums[count - 1]);
    vpacksswb(sums[0], sums[0], count > 2 ? third : sums[0]);
    set().flip(sums[0]);
  }

  void store(const Tile& tile, int row, int block, int first_channel) final {
    const bool at_edge = tile.at_edge && block == tile.blocks - 1;
    const auto offset = row * plan_.fold * grid_row_bytes() + (first_channel / group_channels) * shape_.output.group +
                        block * register_bytes() * store_phases();
    const Register evens = sum(tile, 0, first_channel, row, block);
    if (store_phases() == 1) return store_vector(evens, offset, at_edge ? pixels_at_edge(0) : row_lanes());
    const Register odds = shape_.upsample ? evens : sum(tile, 1, first_channel, row, block);
    for (int half = 0; half < 2; ++half) {
      const Register bytes = set().interleaved(half, evens, odds);
      const int pixels = at_edge ? pixels_at_edge(half * row_lanes()) : row_lanes();
      const auto at = offset + half * register_bytes();
      store_vector(bytes, at, pixels);
      if (shape_.upsample && pixels > 0) store_vector(bytes, at + shape_.output.row, row_lanes());
    }
  }

  // `pixels` below a row's in the register: those behind them become zeros, the right pad.
  void store_vector(const Register& bytes, std::ptrdiff_t offset, int pixels) {
    if (pixels <= 0) return;
    if (pixels < row_lanes()) set().zero_from(bytes, pixels);
    set().store_rows(offset, bytes);
  }
};

}  // namespace nerone::softdpu::jit
