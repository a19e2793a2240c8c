#include "softdpu/jit/conv_tile.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace nerone::softdpu::jit {
namespace {

// In units of one dot-product instruction, measured: what a tile costs beside its dot products, how many independent
// sums hide the latency of one, and what it costs that weights come from memory for each sum of a single vector of
// pixels.
constexpr double tile_cost = 10;
constexpr double store_cost = 9;
constexpr double latency = 9;
constexpr double single_vector = 1.09;
constexpr double fold_cost = 0.5;

int blocks_of(const ConvShape& shape, int fold) { return divide_up(shape.grid.width, lanes_of(shape.isa) / fold); }

// The same unit, half a cycle: two products and two additions a sum (one of a depthwise one), three instructions for
// eight pixels, a broadcast for each half of the weights; products start two, all instructions five a cycle.
double word_products(const ConvShape& shape, int channels, int pixels) {
  constexpr double per_half_cycle = 2.5;
  const int halves = shape.depthwise ? 1 : 2;
  const double products = halves * channels * pixels * shape.grid.phases;
  const double instructions = 2 * products + 3 * pixels + halves * channels * shape.grid.phases;
  return std::max(products, instructions / per_half_cycle);
}

// Of one unrolled set of groups. A chain of k taps takes for each sum k products, k - 1 additions of words, a product
// and an addition that make dwords of them; a mask for each of its pixels that is unflipped; loads of the pixels and
// the weights, and of the constants where no register is left for them.
double chain_products(const ConvShape& shape, const ConvTile& tile, const ByteChains& chains, int channels,
                      int pixels) {
  constexpr double per_half_cycle = 2.5, vectors_per_half_cycle = 1.6, broadcast_cost = 0.15;
  const auto registers = chain_registers(chains, tile);
  int spare = free_registers(shape) - tile.accumulators(shape.grid.phases) - registers.used;
  const bool loads_ones = !chains.spread && !registers.product_is_free && spare-- <= 0;
  const bool is_masked = chains.most_input < zero_byte, loads_mask = is_masked && spare <= 0;
  double cost = 0;
  for (const int length : chains.lengths) {
    const double sums = static_cast<double>(channels) * pixels * shape.grid.phases, taps = length * pixels;
    const double products = sums * (length + 1), vectors = sums * (2 * length + 1) + (is_masked ? taps : 0);
    const double broadcasts = chains.spread ? 0 : channels * shape.grid.phases * length;
    const double loads =
        taps * (loads_mask ? 2 : 1) + broadcasts + (chains.spread ? sums * length : 0) + (loads_ones ? sums : 0);
    const double instructions = vectors + broadcasts + (is_masked && !loads_mask ? 0 : taps);
    cost += std::max({products, vectors / vectors_per_half_cycle, loads, instructions / per_half_cycle}) +
            broadcast_cost * broadcasts;
  }
  return cost;
}

// Of depthwise pairs: for each vector of pixels a load of each tap with its mask; for each pair two instructions that
// interleave its taps, two products and, but for the first of a chain, two sums; eight to widen a chain.
double pair_products(const ConvShape& shape, int pixels) {
  constexpr double per_half_cycle = 1.6;
  const auto taps = static_cast<double>(shape.grid.taps.size()), chains = static_cast<double>(shape.pair_chains.size());
  const double loads = shape.grid.step_x > 1 ? 3 * taps : taps;
  return pixels * (loads + pairs_of(shape) * 6 + chains * 6) / per_half_cycle;
}

// The products of one tile.
double products_of(const ConvShape& shape, const ConvTile& tile, int channels, int pixels) {
  const double taps = static_cast<double>(shape.grid.taps.size());
  const double sums = channels * pixels;
  if (!shape.pair_chains.empty()) return pair_products(shape, pixels);
  double cost = 0;
  for (const auto& run : runs_of(shape)) {
    cost += run.groups * taps * pixels * (tile.fold - 1) * fold_cost;
    if (run.chains.are_used()) {
      cost += run.groups / unrolled_groups(shape, run) * chain_products(shape, tile, run.chains, channels, pixels);
      continue;
    }
    const double dots = shape.isa == Isa::avx2
                            ? word_products(shape, channels, pixels)
                            : std::max(sums, latency / shape.grid.phases) * (pixels == 1 ? single_vector : 1.0);
    cost += run.groups * taps * dots;
  }
  return cost;
}

bool has_spread_weights(const ConvShape& shape) {
  const auto runs = runs_of(shape);
  return std::any_of(runs.begin(), runs.end(), [](const GroupRun& run) { return run.chains.spread; });
}

// Of a row of tiles whose channels have spread weights: these are read for each tile, and come from the second-level
// cache for each row where not all of them stay in the first.
double spread_cost(const ConvShape& shape, int channels) {
  constexpr std::ptrdiff_t first_level = 20 << 10, second_level = 256 << 10;
  constexpr double per_register = 2, per_distant_register = 8;
  const auto bytes = all_weight_bytes(shape, channels), all = all_weight_bytes(shape, shape.channels);
  if (bytes > first_level) return std::numeric_limits<double>::infinity();
  if (all <= first_level) return 0;
  return (all <= second_level ? per_register : per_distant_register) * static_cast<double>(bytes / group_channels) /
         lanes_of(shape.isa);
}

double cost_of(const ConvShape& shape, const ConvTile& tile) {
  const auto& grid = shape.grid;
  const int blocks = blocks_of(shape, tile.fold);
  const int row_tiles = divide_up(grid.height, tile.image_rows());
  const bool has_spread = has_spread_weights(shape);
  double cost = 0;
  for (int channel = 0; channel < shape.channels; channel += tile.channels) {
    const int channels = std::min(tile.channels, shape.channels - channel);
    if (has_spread) cost += spread_cost(shape, channels);
    for (int block = 0; block < blocks; block += tile.blocks) {
      const int pixels = std::min(tile.blocks, blocks - block) * tile.rows;
      const double sums = channels * pixels;
      cost += products_of(shape, tile, channels, pixels) + tile_cost + sums * store_cost / 4;
    }
  }
  return cost * row_tiles;
}

}  // namespace

int free_registers(const ConvShape& shape) {
  if (shape.isa == Isa::avx_vnni) return 15;  // less one for weights
  if (shape.isa == Isa::avx2) return 14;      // less one for a product, too
  constexpr int registers = 32, zeros = 1, transpose = 1, weights = 2;
  const int permutation = shape.grid.step_x > 1 ? 1 : 0;
  const int interleave = shape.grid.phases > 1 || shape.upsample ? 2 : 0;
  return registers - zeros - transpose - weights - permutation - interleave;
}

ChainRegisters chain_registers(const ByteChains& chains, const ConvTile& tile) {
  const int longest = chains.longest();
  return {tile.rows * tile.blocks * (longest + 1), longest == 1 && !chains.spread};
}

int pixel_registers(const ConvShape& shape, const ConvTile& tile) {
  if (!shape.pair_chains.empty()) return 4;
  const int pixels = tile.rows * tile.blocks;
  int most = 0;
  for (const auto& run : runs_of(shape)) {
    const int without_chains = shape.isa == Isa::avx2 ? 2 : 1;
    most = std::max(most, run.chains.are_used() ? run.chains.longest() + 1 : without_chains);
  }
  return pixels * most;
}

bool is_possible(const ConvShape& shape, const ConvTile& tile) {
  const auto& grid = shape.grid;
  if (tile.accumulators(grid.phases) + pixel_registers(shape, tile) > free_registers(shape)) return false;
  if (tile.image_rows() > grid.height || tile.blocks > blocks_of(shape, tile.fold)) return false;
  if (grid.fold != 0 && tile.fold != grid.fold) return false;
  if (tile.fold == 1) return true;
  const bool has_loads = grid.step_x == 1 || (grid.step_x == 2 && tile.fold == 2);
  return has_loads && grid.width <= lanes_of(shape.isa) / tile.fold && grid.phases == 1 && !shape.upsample;
}

namespace {

// The fastest tile and its cost.
std::pair<ConvTile, double> fastest_tile(const ConvShape& shape) {
  ConvTile best;
  double best_cost = std::numeric_limits<double>::infinity();
  const auto consider = [&](const ConvTile& tile) {
    if (!is_possible(shape, tile)) return;
    const double cost = cost_of(shape, tile);
    if (cost >= best_cost) return;
    best_cost = cost;
    best = tile;
  };
  const int widest = std::min(shape.depthwise ? group_channels : 24, shape.channels);
  for (int channels = std::min(group_channels, widest); channels > 0;) {
    for (int rows = 1; rows <= 4; ++rows) {
      for (int blocks = 1; blocks <= 8; ++blocks) {
        for (const int fold : {1, 2, 4}) consider({channels, rows, blocks, fold});
      }
    }
    channels = channels == widest ? 0 : std::min(channels + group_channels, widest);
  }
  return {best, best_cost};
}

// Columns from `first` on, `width` of them.
ConvShape part_of(const ConvShape& shape, int first, int width, int fold) {
  ConvShape part = shape;
  part.grid.first_column = first;
  part.grid.width = part.grid.out_width = width;
  part.grid.fold = fold;
  part.grid.fills_gap = first + width == shape.grid.width;
  return part;
}

}  // namespace

ConvTile choose_tile(const ConvShape& shape) { return fastest_tile(shape).first; }

double cost_of(const ConvShape& shape) { return fastest_tile(shape).second; }

std::vector<ConvShape> split_columns(const ConvShape& shape) {
  const auto& grid = shape.grid;
  const int register_lanes = lanes_of(shape.isa);
  const int full = grid.width / register_lanes * register_lanes;
  const bool is_plain = grid.phases == 1 && !shape.upsample && !shape.depthwise;
  if (full == 0 || full == grid.width || !is_plain || grid.height < 4) return {shape};
  std::vector<ConvShape> parts{part_of(shape, 0, full, 1)};
  for (int first = full; first < grid.width;) {
    const int rest = grid.width - first;
    const bool quarters = rest <= register_lanes / 4 && grid.step_x == 1;
    const int width = std::min(rest, register_lanes / (quarters ? 4 : 2));
    parts.push_back(part_of(shape, first, width, quarters ? 4 : 2));
    if (grid.step_x > 2) return {shape};
    first += width;
  }
  double cost = 0;
  for (const auto& part : parts) cost += cost_of(part);
  constexpr double worth_while = 0.98;
  return cost < worth_while * cost_of(shape) ? parts : std::vector<ConvShape>{shape};
}

}  // namespace nerone::softdpu::jit
