#pragma once

// The parts of a ConvKernel's code that AVX-512 decides: 16 pixels in a register, 32 registers, masks.

#include "softdpu/jit/conv_generator.hpp"

namespace nerone::softdpu::jit {

class ConvKernel::ZmmGenerator final : public Generator {
 public:
  ZmmGenerator(const ConvShape& shape, const ConvTile& tile) : Generator(shape, tile) {}

 private:
  // conv_zmm_taps.cpp
  void load_constants() override;
  void start_from_bias(const Tile& tile) override;
  void start_from_sums(const Tile& tile) override;
  void emit_tap(const Tile& tile, const Tap& tap, std::ptrdiff_t group_offset, std::ptrdiff_t& weight_offset) override;
  void load_pixels(const Xbyak::Zmm& to, std::ptrdiff_t offset);

  // conv_zmm_stores.cpp
  void requantize(const Tile& tile, int phase, int channel, int count, int row, int block) override;
  void requantize_right(const Xbyak::Zmm* sums, int count);
  void requantize_left(const Xbyak::Zmm* sums, int count, int channel);
  void requantize_leaky(const Xbyak::Zmm* sums, int count, int channel);
  void pack_signed(const Xbyak::Zmm* sums, int count);
  void store(const Tile& tile, int row, int block, int first_channel) override;
  void store_sum(std::ptrdiff_t offset, int sum) override { vmovdqu32(ptr[output_ + offset], Xbyak::Zmm(sum)); }
  void store_vector(const Xbyak::Zmm& bytes, std::ptrdiff_t offset, int pixels);
  void store_bytes(const Xbyak::Reg64& base, std::ptrdiff_t offset, const Xbyak::Zmm& bytes);
  void prepare_zeros() override {}
  void store_zeros(std::ptrdiff_t offset_in_block) override { store_bytes(output_block_, offset_in_block, zeros_); }
  void emit_tables() override;

  Xbyak::Zmm sum(const Tile& tile, int phase, int channel, int row, int block) const {
    return Xbyak::Zmm(sum_index(tile, phase, channel, row, block));
  }
  // Registers that hold pixels and weights in the inner loop.
  Xbyak::Zmm scratch(int index) const { return Xbyak::Zmm(first_scratch() + index); }

  const Xbyak::Zmm zeros_ = zmm31, transpose_ = zmm30;
  const Xbyak::Zmm low_half_ = zmm29, high_half_ = zmm28;  // of an interleaved pair
  const Xbyak::Zmm evens_ = zmm29;                         // strided inputs never meet interleaved outputs

  Xbyak::Label transpose_table_, low_half_table_, high_half_table_, evens_table_, constants_;
};

}  // namespace nerone::softdpu::jit
