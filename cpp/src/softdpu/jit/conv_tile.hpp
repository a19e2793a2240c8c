#pragma once

#include "softdpu/jit/conv_shape.hpp"

namespace nerone::softdpu::jit {

// What is accumulated in registers at once: channels x rows x blocks of 16 pixels, for each phase.
struct ConvTile {
  int channels = 4;  // a multiple of 4, or all there are
  int rows = 1;
  int blocks = 1;

  int accumulators(int phases) const { return channels * rows * blocks * phases; }
};

// Registers that are left for accumulators and pixels.
int free_registers(const ConvShape& shape);

ConvTile choose_tile(const ConvShape& shape);

}  // namespace nerone::softdpu::jit
