#pragma once

#include <vector>

#include "softdpu/jit/conv_shape.hpp"

namespace nerone::softdpu::jit {

// What is accumulated in registers at once: channels x rows x blocks of as many pixels as a register holds, for each
// phase. Of narrow images a block holds a fold-th of them, of `fold` rows, and `rows` counts such stacks of rows.
struct ConvTile {
  int channels = 4;  // a multiple of 4, or all there are
  int rows = 1;
  int blocks = 1;
  int fold = 1;  // 1, 2 or 4

  int image_rows() const { return rows * fold; }
  int accumulators(int phases) const { return channels * rows * blocks * phases; }
};

// Registers that are left for accumulators and pixels.
int free_registers(const ConvShape& shape);

// Those that hold a tile's pixels, of the run that needs most: of products of words two for each block, of chains one
// for each tap of the longest and one for its sum.
int pixel_registers(const ConvShape& shape, const ConvTile& tile);

// Of those, what the chains of a run need; without spread weights a run whose chains have one tap each leaves the
// register for a product free.
struct ChainRegisters {
  int used = 0;
  bool product_is_free = false;
};
ChainRegisters chain_registers(const ByteChains& chains, const ConvTile& tile);

// Whether a kernel can be generated.
bool is_possible(const ConvShape& shape, const ConvTile& tile);

ConvTile choose_tile(const ConvShape& shape);

// Of the tile that is chosen, in units of one dot-product instruction; infinite where none is possible.
double cost_of(const ConvShape& shape);

// The convolution as one grid, or as parts of its columns where the last ones would leave most lanes of a register
// empty: those are stacked from several rows instead.
std::vector<ConvShape> split_columns(const ConvShape& shape);

}  // namespace nerone::softdpu::jit
