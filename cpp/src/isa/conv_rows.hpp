#pragma once

// The inner loops of CONV, compiled for each instruction set and chosen at run time.

#include <cstddef>
#include <cstdint>

namespace nerone::isa {

constexpr int max_outputs = 16;  // output channels of the largest DPU; smaller ones have zeros behind theirs

// One line of a tile: the sums over all taps and pairs of input channels for each pixel and output channel.
struct LineJob {
  const std::int16_t* const* lines = nullptr;  // kernel_h of them
  int kernel_h = 0, kernel_w = 0, pixels = 0;
  std::ptrdiff_t column = 0, stride = 0;  // values from column to column, and from pixel to pixel
  int pairs = 0;                          // of input channels
  const std::int16_t* weights = nullptr;  // tap, pair, output channel, 2
  std::int32_t* sums = nullptr;           // pixel, output channel
};
void sum_line(const LineJob& job);

struct Narrow {
  std::int32_t round = 0, low = -128, high = 127;
  int right = 0;
};

// Sums become (2 * sum + bias + round) >> right, limited.
void narrow_line(const Narrow& narrow, const std::int32_t* bias, std::int32_t* sums, int pixels);

}  // namespace nerone::isa
