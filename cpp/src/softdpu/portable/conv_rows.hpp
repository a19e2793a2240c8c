#pragma once

// The inner loops of the portable convolutions, compiled for each instruction set and chosen at run time.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "softdpu/portable/narrow.hpp"

namespace nerone::softdpu::portable {

// One row of output pixels. v = 2 * sum(x * w) + doubled_bias, y = narrow(v). Element is int16 or int8.
template <class Element>
struct BasicRowJob {
  const Element* const* rows = nullptr;  // input row of each kernel row
  std::int64_t kernel_rows = 0, kernel_columns = 0;
  const std::int64_t* column_offsets = nullptr;  // of each kernel column, in elements
  std::int64_t input_step = 0;                   // from output pixel to output pixel, in elements
  std::int64_t input_channels = 0;               // padded
  std::int64_t pixels = 0;
  std::int64_t output_channels = 0;
  const Element* weights = nullptr;
  const std::int32_t* doubled_bias = nullptr;  // readable up to a whole block behind the channels
  std::int8_t* output = nullptr;
  std::int64_t output_step = 0;  // bytes from output pixel to output pixel
  Narrow narrow;
};
using RowJob = BasicRowJob<std::int16_t>;

// How the weights of a dense convolution are packed: [block of lanes * vectors output channels][kernel row]
// [kernel column][group of input channels][channel of the block][channel of the group]. The last block is as narrow as
// whole `lanes` allow. Missing channels are zero.
struct DenseLayout {
  std::int64_t lanes = 0;    // output channels of one vector
  std::int64_t vectors = 0;  // of a block
  std::int64_t group = 0;    // input channels that one instruction multiplies and adds

  std::int64_t block() const { return lanes * vectors; }
  // Channels of the block that begins at `first`.
  std::int64_t width(std::int64_t first, std::int64_t output_channels) const {
    return std::min(block(), (output_channels - first + lanes - 1) / lanes * lanes);
  }
};

// How many output channels one vector holds on this machine.
std::int64_t conv_lanes();

// A function that computes rows of a dense convolution, and the layout of its weights.
template <class Element>
struct DenseKernel {
  DenseLayout layout;
  void (*row)(const BasicRowJob<Element>&);
};

// Rows on int16, on every processor.
DenseKernel<std::int16_t> word_kernel();
// Rows on bytes as they are, the fastest that this processor has for so many input channels: Armv8.2's dotprod (SDOT)
// or Armv8.6's i8mm (SMMLA). Nothing where it has neither, like the boards' Cortex-A53 and every x86-64.
std::optional<DenseKernel<std::int8_t>> byte_kernel(std::int64_t input_channels);

// Outputs of `pixels` pixels from sum(x * w): of pixel p and channel c in sums[p * sums_step + c], readable up to a
// whole conv_lanes(), as the biases are.
struct SumsJob {
  const std::int32_t* sums = nullptr;
  std::int64_t sums_step = 0, pixels = 0, channels = 0;
  const std::int32_t* doubled_bias = nullptr;
  std::int8_t* output = nullptr;
  std::int64_t output_step = 0;
  Narrow narrow;
};
void narrow_sums(const SumsJob& job);

// Weights [kernel row][kernel column][channel]; output channel = input channel.
void depthwise_row(const RowJob& job);

// int8 to int16.
void widen(const std::int8_t* source, std::int64_t count, std::int16_t* destination);

}  // namespace nerone::softdpu::portable
