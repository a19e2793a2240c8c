#include "compiled/phases.hpp"

#include <algorithm>
#include <map>
#include <nerone/error.hpp>
#include <optional>
#include <utility>

namespace nerone::compiled {

namespace {

constexpr int most_phases = 3;  // along one axis, of which every order is tried

// Output of the phases of one tile: for each place in the register the row of its first pixel in the image bank.
using Tile = std::map<int, const Reader*>;

// The other orders: along an axis with few phases every one, the output's first; with many only this.
std::vector<PhaseOrder> candidates(const TransposedKernel& kernel) {
  std::vector<PhaseOrder> orders{PhaseOrder::by_output(kernel)};
  if (kernel.stride_h > most_phases || kernel.stride_w > most_phases) return orders;
  PhaseOrder order = PhaseOrder::by_first_tap(kernel);
  do {
    do {
      orders.push_back(order);
    } while (std::next_permutation(order.columns.begin(), order.columns.end()));
  } while (std::next_permutation(order.rows.begin(), order.rows.end()));
  return orders;
}

struct Phase {
  int y, x;
};

// For each place at which a phase's taps begin: the phase, where every reader has the kernel that the order gives it.
std::optional<std::map<int, Phase>> phases_by_place(const std::vector<Reader>& readers, const TransposedKernel& kernel,
                                                    const PhaseOrder& order) {
  std::map<int, Phase> phases;
  std::map<int, std::pair<int, int>> sizes;
  int place = 0;
  for (const int row : order.rows) {
    const int height = phase_taps(row, kernel.kernel_h, kernel.stride_h);
    for (const int column : order.columns) {
      const int width = phase_taps(column, kernel.kernel_w, kernel.stride_w);
      if (height * width == 0) continue;
      sizes[place] = {height, width};
      phases[place] = {phase_of(row, kernel.kernel_h, kernel.stride_h, kernel.pad_top),
                       phase_of(column, kernel.kernel_w, kernel.stride_w, kernel.pad_left)};
      place += height * width;
    }
  }
  for (const auto& reader : readers) {
    const auto found = sizes.find(reader.place);
    if (found == sizes.end() || found->second != std::pair(reader.kernel_h, reader.kernel_w)) return std::nullopt;
  }
  return phases;
}

// The readers of each tile that all phases write; a place that comes again begins the next tile.
std::vector<Tile> complete_tiles(const std::vector<Reader>& readers, std::size_t phases) {
  std::vector<Tile> tiles;
  Tile tile;
  for (const auto& reader : readers) {
    if (tile.count(reader.place) != 0) tile.clear();
    tile[reader.place] = &reader;
    if (tile.size() == phases) tiles.push_back(std::exchange(tile, {}));
  }
  return tiles;
}

// Whether one tile's phases lie side by side: in a bank the pixels of a line, and under them the next line's.
bool lies_as(const Tile& tile, const std::map<int, Phase>& phases, int stride_w) {
  const auto rows_between = [](const Reader& a, const Reader& b) {
    const int rows = (b.out - a.out) % isa::bank_rows;
    return (rows + isa::bank_rows + isa::bank_rows / 2) % isa::bank_rows - isa::bank_rows / 2;
  };
  const auto& first = *tile.begin();
  if (first.second->jump_write % stride_w != 0) return true;  // says nothing
  const int pixel = first.second->jump_write / stride_w;
  std::optional<int> line;
  for (const auto& [place, reader] : tile) {
    if (reader->bank_out != first.second->bank_out) return true;
    const auto &from = phases.at(first.first), &to = phases.at(place);
    const int rows = rows_between(*first.second, *reader) - (to.x - from.x) * pixel;
    const int lines = to.y - from.y;
    if (lines == 0 ? rows != 0 : rows % lines != 0) return false;
    if (lines == 0) continue;
    if (rows / lines < pixel * stride_w || line.value_or(rows / lines) != rows / lines) return false;
    line = rows / lines;
  }
  return true;
}

bool lie_as(const std::vector<Reader>& readers, const std::map<int, Phase>& phases, int stride_w) {
  const auto tiles = complete_tiles(readers, phases.size());
  return std::all_of(tiles.begin(), tiles.end(), [&](const Tile& tile) { return lies_as(tile, phases, stride_w); });
}

}  // namespace

PhaseOrder order_of_phases(const isa::Stream& stream, const isa::Machine& machine, const StoredWeights& weights,
                           const TransposedKernel& kernel) {
  const auto readers = readers_of(stream, machine, weights, kernel.kernel_h * kernel.kernel_w);
  // A compiler may run the phases of one tile apart from each other, so that where they write says little.
  const auto usual = PhaseOrder::by_first_tap(kernel);
  if (phases_by_place(readers, kernel, usual)) return usual;
  std::optional<PhaseOrder> fitting;
  for (const auto& order : candidates(kernel)) {
    const auto phases = phases_by_place(readers, kernel, order);
    if (!phases) continue;
    if (lie_as(readers, *phases, kernel.stride_w)) return order;
    if (!fitting) fitting = order;
  }
  if (fitting) return *fitting;
  const auto pair = [](int a, int b) { return std::to_string(a) + "x" + std::to_string(b); };
  const auto& first = readers.front();
  throw ModelError("the instructions run the transposed convolution '" + weights.op + "' of kernel " +
                   pair(kernel.kernel_h, kernel.kernel_w) + " and stride " + pair(kernel.stride_h, kernel.stride_w) +
                   " in phases that it does not have, the first with a kernel of " +
                   pair(first.kernel_h, first.kernel_w) + " at tap " + std::to_string(first.place) +
                   "; compile the model again");
}

}  // namespace nerone::compiled
