#pragma once

// The parts of a ConvKernel's code that AVX-512 decides: 16 pixels in a register, 32 registers, masks.

#include "softdpu/jit/conv_vector.hpp"

namespace nerone::softdpu::jit {

class ConvKernel::ZmmGenerator final : public VectorGenerator<ZmmGenerator, Xbyak::Zmm> {
 public:
  ZmmGenerator(const ConvShape& shape, const ConvTile& tile) : VectorGenerator(shape, tile) {}

 private:
  friend VectorGenerator;

  // The trait of VectorGenerator. Constants are dwords that are broadcast as they are read.
  static constexpr ConvConstant constants[] = {ConvConstant::most,         ConvConstant::least,
                                               ConvConstant::leaky_factor, ConvConstant::leaky_round,
                                               ConvConstant::round,        ConvConstant::high_byte};
  static constexpr int constant_dwords = 1;

  void load(const Xbyak::Zmm& to, const Xbyak::Address& from) { vmovdqu32(to, from); }
  void save(const Xbyak::Address& to, const Xbyak::Zmm& from) { vmovdqu32(to, from); }
  void copy(const Xbyak::Zmm& to, const Xbyak::Zmm& from) { vmovdqa32(to, from); }
  Xbyak::Address constant(ConvConstant constant) const { return ptr_b[rip + constants_ + offset_of(constant)]; }
  const Xbyak::Zmm& zeros() const { return zeros_; }
  const Xbyak::Zmm& transpose() const { return transpose_; }
  void flip(const Xbyak::Zmm& bytes) { vpxord(bytes, bytes, zeros_); }
  void limit_above(const Xbyak::Zmm& bytes);
  void add_half_bits(const Xbyak::Zmm& sum, int channel) { vpaddd(sum, sum, ptr_b[half_bits_ + channel * 4]); }
  Xbyak::Zmm negative() const { return scratch(0); }
  const Xbyak::Zmm& positive_of(const Xbyak::Zmm& sum) const { return sum; }
  void mark_negative(const Xbyak::Zmm& sum) { vpmovd2m(k5, sum); }
  void take_by_sign(const Xbyak::Zmm& sum) { vmovdqa32(sum | k5, negative()); }
  Xbyak::Zmm interleaved(int half, const Xbyak::Zmm& evens, const Xbyak::Zmm& odds);
  void zero_from(const Xbyak::Zmm& bytes, int pixel);
  void store_rows(std::ptrdiff_t offset, const Xbyak::Zmm& bytes);

  // conv_zmm_taps.cpp
  void load_constants() override;
  void emit_tap(const Tile& tile, const Tap& tap, std::ptrdiff_t group_offset, std::ptrdiff_t& weight_offset) override;
  void load_pixels(const Xbyak::Zmm& to, std::ptrdiff_t offset);

  // conv_zmm_stores.cpp
  void prepare_zeros() override {}
  void store_zeros(std::ptrdiff_t offset_in_block) override { store_row(output_block_, offset_in_block, zeros_); }
  void store_row(const Xbyak::Reg64& base, std::ptrdiff_t offset, const Xbyak::Zmm& bytes);
  void emit_tables() override;

  const Xbyak::Zmm zeros_ = zmm31, transpose_ = zmm30;
  const Xbyak::Zmm low_half_ = zmm29, high_half_ = zmm28;  // of an interleaved pair
  const Xbyak::Zmm evens_ = zmm29;                         // strided inputs never meet interleaved outputs

  Xbyak::Label transpose_table_, low_half_table_, high_half_table_, evens_table_;
};

}  // namespace nerone::softdpu::jit
