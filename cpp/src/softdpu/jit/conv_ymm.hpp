#pragma once

// The parts of a ConvKernel's code for 16 registers of 8 pixels: with AVX-VNNI's dot product, or with AVX2 alone.
//
// AVX2's product of bytes, vpmaddubsw, saturates where the products that it adds leave 16 bits. Where the weights rule
// that out (byte_chains.hpp), chains of them are added as words before vpmaddwd by ones makes dwords of them. Elsewhere
// bytes are widened to words first, channels 0 and 2 of a pixel in one register and 1 and 3 in another, and vpmaddwd
// adds pairs of products in 32 bits.

#include <optional>

#include "softdpu/jit/conv_vector.hpp"

namespace nerone::softdpu::jit {

class ConvKernel::YmmGenerator final : public VectorGenerator<YmmGenerator, Xbyak::Ymm> {
 public:
  YmmGenerator(const ConvShape& shape, const ConvTile& tile) : VectorGenerator(shape, tile) {}

 private:
  friend VectorGenerator;

  // The trait of VectorGenerator. Constants are whole registers in memory.
  static constexpr ConvConstant constants[] = {
      ConvConstant::zeros,    ConvConstant::transpose,     ConvConstant::low_bytes,    ConvConstant::high_byte,
      ConvConstant::most,     ConvConstant::least,         ConvConstant::leaky_factor, ConvConstant::leaky_round,
      ConvConstant::round,    ConvConstant::without_flip,  ConvConstant::word_ones,    ConvConstant::even_ones,
      ConvConstant::odd_ones, ConvConstant::pair_transpose};
  static constexpr int constant_dwords = 8;

  void load(const Xbyak::Ymm& to, const Xbyak::Address& from) { vmovdqu(to, from); }
  void save(const Xbyak::Address& to, const Xbyak::Ymm& from) { vmovdqu(to, from); }
  void copy(const Xbyak::Ymm& to, const Xbyak::Ymm& from) { vmovdqa(to, from); }
  Xbyak::Address constant(ConvConstant constant) const { return ptr[rip + constants_ + offset_of(constant)]; }
  Xbyak::Address zeros() const { return constant(ConvConstant::zeros); }
  Xbyak::Address transpose() const {
    return constant(shape_.pair_chains.empty() ? ConvConstant::transpose : ConvConstant::pair_transpose);
  }
  void flip(const Xbyak::Ymm& bytes) { vpxor(bytes, bytes, zeros()); }
  void limit_above(const Xbyak::Ymm& bytes) { vpminub(bytes, bytes, constant(ConvConstant::high_byte)); }
  void add_half_bits(const Xbyak::Ymm& sum, int channel);
  Xbyak::Ymm negative() const { return product_; }
  Xbyak::Ymm positive_of(const Xbyak::Ymm& /*sum*/) const { return weight_; }
  void mark_negative(const Xbyak::Ymm& /*sum*/) {}
  void take_by_sign(const Xbyak::Ymm& sum) { vblendvps(sum, weight_, product_, sum); }
  Xbyak::Ymm interleaved(int half, const Xbyak::Ymm& evens, const Xbyak::Ymm& odds);
  void zero_from(const Xbyak::Ymm& bytes, int pixel);
  void store_rows(std::ptrdiff_t offset, const Xbyak::Ymm& bytes);

  // conv_ymm_taps.cpp
  void load_constants() override {}
  void prepare_run(const GroupRun& run) override;
  void emit_tap(const Tile& tile, const Tap& tap, std::ptrdiff_t group_offset, std::ptrdiff_t& weight_offset) override;
  void emit_chain(const Tile& tile, const ByteChains& of, const std::vector<GroupTap>& chain,
                  std::ptrdiff_t& weight_offset) override;
  void emit_pairs(const Tile& tile) override;
  void start_pairs(const Tile& tile);
  void add_pair(const Tile& tile, int pixel, int pair, bool begins);
  void widen_pairs(int first_sum, int pixels);
  void add_chain(int first_sum, int pixels, const std::vector<int>& elements, bool spread,
                 std::ptrdiff_t& weight_offset);
  void add_dots(int first_sum, int pixels, std::ptrdiff_t weight_offset);
  void add_word_products(int first_sum, int pixels, std::ptrdiff_t weight_offset, bool odd);
  void load_pixels(const Xbyak::Ymm& to, std::ptrdiff_t offset);
  void load_unflipped(const Xbyak::Ymm& to, std::ptrdiff_t offset);
  void load_half(const Xbyak::Xmm& to, std::ptrdiff_t offset, int half);
  void widen(int pixel);

  // conv_ymm_stores.cpp
  void prepare_zeros() override { vmovdqa(weight_, zeros()); }
  void store_zeros(std::ptrdiff_t offset_in_block) override;
  void emit_tables() override;

  bool has_dots() const { return shape_.isa == Isa::avx_vnni; }
  // Behind the pixels in the scratch registers: what odd channels are widened to.
  Xbyak::Ymm odd_channels(int pixel) const { return scratch(plan_.rows * plan_.blocks + pixel); }

  const Xbyak::Ymm weight_ = ymm15, product_ = ymm14;
  // Of the run whose taps are generated: its constants, in registers that it leaves free.
  std::optional<Xbyak::Ymm> ones_, without_flip_;
};

}  // namespace nerone::softdpu::jit
