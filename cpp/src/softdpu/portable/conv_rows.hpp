#pragma once

// The inner loops of the portable convolutions, compiled for each instruction set and chosen at run time.

#include <cstdint>

#include "softdpu/portable/narrow.hpp"

namespace nerone::softdpu::portable {

// One row of output pixels. v = 2 * sum(x * w) + doubled_bias, y = narrow(v).
struct RowJob {
  const std::int16_t* const* rows = nullptr;  // input row of each kernel row
  std::int64_t kernel_rows = 0, kernel_columns = 0;
  const std::int64_t* column_offsets = nullptr;  // of each kernel column, in int16
  std::int64_t input_step = 0;                   // from output pixel to output pixel, in int16
  std::int64_t input_channels = 0;               // padded
  std::int64_t pixels = 0;
  std::int64_t output_channels = 0;
  const std::int16_t* weights = nullptr;
  const std::int32_t* doubled_bias = nullptr;  // readable up to a whole block behind the channels
  std::int8_t* output = nullptr;
  std::int64_t output_step = 0;  // bytes from output pixel to output pixel
  Narrow narrow;
};

// How many output channels one vector holds on this machine.
std::int64_t conv_lanes();

// Weights [block of 2 * lanes output channels][kernel row][kernel column][pair of input channels][channel][2]; a last
// block of at most `lanes` channels is only that wide. Missing channels are zero.
void dense_row(const RowJob& job);

// Weights [kernel row][kernel column][channel]; output channel = input channel.
void depthwise_row(const RowJob& job);

// int8 to int16.
void widen(const std::int8_t* source, std::int64_t count, std::int16_t* destination);

}  // namespace nerone::softdpu::portable
