#include "softdpu/jit/conv_tile.hpp"

#include <algorithm>
#include <limits>

namespace nerone::softdpu::jit {
namespace {

// In units of one dot-product instruction, measured: what a tile costs beside its dot products, how many independent
// sums hide the latency of one, and what it costs that weights come from memory for each sum of a single vector of
// pixels.
constexpr double tile_cost = 10;
constexpr double store_cost = 9;
constexpr double latency = 9;
constexpr double single_vector = 1.09;

double cost_of(const ConvShape& shape, const ConvTile& tile) {
  const auto& grid = shape.grid;
  const int blocks = divide_up(grid.width, lanes);
  const int row_tiles = divide_up(grid.height, tile.rows);
  double cost = 0;
  for (int channel = 0; channel < shape.channels; channel += tile.channels) {
    const int channels = std::min(tile.channels, shape.channels - channel);
    for (int block = 0; block < blocks; block += tile.blocks) {
      const int pixels = std::min(tile.blocks, blocks - block) * tile.rows;
      const double sums = channels * pixels;
      const double groups = shape.depthwise ? 1 : shape.input_groups;
      const double per_tap = std::max(sums, latency / grid.phases) * (pixels == 1 ? single_vector : 1.0);
      cost += groups * static_cast<double>(grid.taps.size()) * per_tap + tile_cost + sums * store_cost / 4;
    }
  }
  return cost * row_tiles;
}

}  // namespace

int free_registers(const ConvShape& shape) {
  constexpr int registers = 32, zeros = 1, transpose = 1, weights = 2;
  const int permutation = shape.grid.step_x > 1 ? 1 : 0;
  const int interleave = shape.grid.phases > 1 || shape.upsample ? 2 : 0;
  return registers - zeros - transpose - weights - permutation - interleave;
}

ConvTile choose_tile(const ConvShape& shape) {
  ConvTile best;
  double best_cost = std::numeric_limits<double>::infinity();
  const int blocks = divide_up(shape.grid.width, lanes);
  const int widest = shape.depthwise ? group_channels : 24;
  for (int channels = std::min(group_channels, shape.channels); channels <= std::min(widest, shape.channels);) {
    for (int rows = 1; rows <= std::min(4, shape.grid.height); ++rows) {
      for (int wide = 1; wide <= std::min(8, blocks); ++wide) {
        const ConvTile tile{channels, rows, wide};
        if (tile.accumulators(shape.grid.phases) + rows * wide > free_registers(shape)) continue;
        const double cost = cost_of(shape, tile);
        if (cost >= best_cost) continue;
        best_cost = cost;
        best = tile;
      }
    }
    channels = channels == shape.channels ? channels + 1 : std::min(channels + group_channels, shape.channels);
  }
  return best;
}

}  // namespace nerone::softdpu::jit
