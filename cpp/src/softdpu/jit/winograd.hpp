#pragma once

// 3x3 convolutions of stride 1 by Winograd's F(2x2, 3x3), exactly, for AVX2: 16 products where the sum takes 36.
//
// Of a tile of 2x2 output pixels, which reads 4x4 input pixels d, with the kernel g:
//   U = (2 G) g (2 G)^T      |U| <= 9 * 128
//   V = B^T d B              of flipped bytes: -510 <= V <= 1020
//   M = sum over the input channels of U * V, each of the 16 elements by itself
//   A^T M A = 4 * the convolution
// All are integers: U and V fit 16 bits, the sums 32. What overflows between M and the result does so modulo 2^32, and
// the result fits.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "softdpu/jit/conv_weights.hpp"
#include "softdpu/jit/image.hpp"
#include "softdpu/jit/range.hpp"

namespace nerone::softdpu::jit {

// Whether a convolution has a shape and an arithmetic that WinogradConv covers.
bool can_use_winograd(const Conv& conv);

// In the unit of cost_of(), of an input with so many groups.
double winograd_cost(const Conv& conv, int groups);

// The products and sums of four output channels for some pairs of registers of tiles. Generated code.
class WinogradProducts {
 public:
  explicit WinogradProducts(int groups);
  ~WinogradProducts();
  WinogradProducts(const WinogradProducts&) = delete;
  WinogradProducts& operator=(const WinogradProducts&) = delete;

  // Distances in bytes: one element of V from the next, one pair of registers' V or M from the next.
  std::ptrdiff_t element_bytes() const;
  std::ptrdiff_t pair_bytes() const;
  static std::ptrdiff_t sums_bytes();

  // V: [pair][element][two words of a channel group][register][tile]; U: [element][two words][channel]; M:
  // [pair][element][channel][register][tile]. Each channel's bias is in the element that every output pixel adds once.
  void operator()(const std::uint8_t* v, const std::int16_t* u, const std::int32_t* bias, std::uint8_t* m,
                  std::int64_t pairs) const {
    run_(v, u, m, pairs, bias);
  }

 private:
  class Generator;
  using Run = void (*)(const std::uint8_t*, const std::int16_t*, std::uint8_t*, std::int64_t, const std::int32_t*);
  int groups_;
  std::unique_ptr<Generator> generator_;
  Run run_;
};

// Immutable; the scratch memory is a thread's own.
class WinogradConv {
 public:
  // The images have no data; `channels` says which channel a byte of the input holds.
  WinogradConv(const Conv& conv, const Image& input, const Image& output, const ChannelMap& channels);

  // A thread's share of the image's tiles; threads write to different pixels.
  void operator()(const std::uint8_t* input, std::uint8_t* output, std::uint8_t* scratch,
                  const Share& share = {}) const;

  std::size_t scratch_bytes() const;
  std::size_t weight_bytes() const { return weights_.size() * sizeof(weights_[0]); }
  // Multiplications of one image.
  std::int64_t macs() const;

 private:
  // Half a register of tiles: 8 output pixels of two rows.
  struct Half {
    int row = 0, column = 0;
  };
  void pack(const Conv& conv, const ChannelMap& channels, const Requantization& requantization);
  int halves() const;
  Half half_at(int index) const;
  void transform_inputs(const std::uint8_t* input, int first_pair, int pairs, std::uint8_t* v) const;
  void transform_sums(const std::uint8_t* m, int first_pair, int pairs, int group, std::uint8_t* output) const;
  std::uint8_t* pixel(std::uint8_t* output, int row, int column, int group) const;
  Half behind(const Half& half) const;
  bool is_whole(const Half& half) const;
  void store_half(const Half& half, int group, const std::uint8_t* rows, std::uint8_t* output) const;
  void fill_gap(const Half& half, int group, std::uint8_t* output) const;

  Image input_, output_;
  int pad_top_ = 0, pad_left_ = 0;
  int height_ = 0, width_ = 0, groups_ = 0, out_groups_ = 0, chunk_pairs_ = 1;
  std::int64_t inputs_ = 0, outputs_ = 0;
  Requantize rule_;
  std::vector<std::int16_t> weights_;           // [group of output channels] of U
  std::vector<std::int32_t> bias_, half_bits_;  // by output channel, as many as fill groups
  WinogradProducts products_;
};

}  // namespace nerone::softdpu::jit
