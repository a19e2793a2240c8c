#pragma once

// The parts of a ConvKernel's code for 16 registers of 8 pixels: with AVX-VNNI's dot product, or with AVX2 alone.
//
// AVX2's product of bytes, vpmaddubsw, saturates where the products that it adds leave 16 bits. Where the weights rule
// that out (byte_chains.hpp), chains of them are added as words before vpmaddwd by ones makes dwords of them. Elsewhere
// bytes are widened to words first, channels 0 and 2 of a pixel in one register and 1 and 3 in another, and vpmaddwd
// adds pairs of products in 32 bits.

#include "softdpu/jit/conv_generator.hpp"

namespace nerone::softdpu::jit {

class ConvKernel::YmmGenerator final : public Generator {
 public:
  YmmGenerator(const ConvShape& shape, const ConvTile& tile) : Generator(shape, tile) {}

 private:
  // conv_ymm_taps.cpp
  void load_constants() override {}
  void start_from_bias(const Tile& tile) override;
  void start_from_sums(const Tile& tile) override;
  void emit_tap(const Tile& tile, const Tap& tap, std::ptrdiff_t group_offset, std::ptrdiff_t& weight_offset) override;
  void emit_chain(const Tile& tile, const ByteChains& of, const std::vector<GroupTap>& chain,
                  std::ptrdiff_t& weight_offset) override;
  void add_chain(int first_sum, int pixels, const std::vector<int>& elements, std::ptrdiff_t& weight_offset);
  void add_dots(int first_sum, int pixels, std::ptrdiff_t weight_offset);
  void add_word_products(int first_sum, int pixels, std::ptrdiff_t weight_offset, bool odd);
  void load_pixels(const Xbyak::Ymm& to, std::ptrdiff_t offset);
  void load_half(const Xbyak::Xmm& to, std::ptrdiff_t offset, int half);
  void widen(int pixel);

  // conv_ymm_stores.cpp
  void requantize(const Tile& tile, int phase, int channel, int count, int row, int block) override;
  void requantize_right(const Xbyak::Ymm* sums, int count);
  void requantize_left(const Xbyak::Ymm* sums, int count, int channel);
  void requantize_leaky(const Xbyak::Ymm* sums, int count, int channel);
  void pack_signed(const Xbyak::Ymm* sums, int count);
  void store(const Tile& tile, int row, int block, int first_channel) override;
  void store_sum(std::ptrdiff_t offset, int sum) override { vmovdqu(ptr[output_ + offset], Xbyak::Ymm(sum)); }
  void store_vector(const Xbyak::Ymm& bytes, std::ptrdiff_t offset, int pixels);
  void store_rows(const Xbyak::Reg64& base, std::ptrdiff_t offset, const Xbyak::Ymm& bytes);
  void prepare_zeros() override;
  void store_zeros(std::ptrdiff_t offset_in_block) override;
  void emit_tables() override;
  std::uint32_t dword_of(int index) const;

  Xbyak::Ymm sum(const Tile& tile, int phase, int channel, int row, int block) const {
    return Xbyak::Ymm(sum_index(tile, phase, channel, row, block));
  }
  bool has_dots() const { return shape_.isa == Isa::avx_vnni; }
  // Registers behind the sums: pixels first, then what odd channels are widened to.
  Xbyak::Ymm scratch(int index) const { return Xbyak::Ymm(first_scratch() + index); }
  Xbyak::Ymm odd_channels(int pixel) const { return scratch(plan_.rows * plan_.blocks + pixel); }
  // Constants are whole registers in memory.
  Xbyak::Address constant(int index) const;

  const Xbyak::Ymm weight_ = ymm15, product_ = ymm14;

  Xbyak::Label constants_;
};

}  // namespace nerone::softdpu::jit
