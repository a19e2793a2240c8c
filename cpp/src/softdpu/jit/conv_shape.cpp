#include "softdpu/jit/conv_shape.hpp"

#include <algorithm>

namespace nerone::softdpu::jit {
namespace {

constexpr int max_step = 16;  // within the slack behind a buffer
constexpr int max_side_pad = 256;
constexpr std::size_t max_taps = 256;  // all of them are unrolled

std::vector<ConvGrid> plain_grids(const Conv& conv) {
  const auto& window = conv.window;
  ConvGrid grid;
  grid.height = static_cast<int>(conv.output.height);
  grid.width = grid.out_width = static_cast<int>(conv.output.width);
  grid.step_y = window.stride_h;
  grid.step_x = window.stride_w;
  for (int ky = 0; ky < window.kernel_h; ++ky) {
    for (int kx = 0; kx < window.kernel_w; ++kx) {
      grid.taps.push_back({ky * window.dilation_h - window.pad_top,
                           kx * window.dilation_w - window.pad_left,
                           {ky * window.kernel_w + kx, -1}});
    }
  }
  return {grid};
}

// Where kernel element k meets the output positions of a phase: the input lies `offset` behind the grid position.
std::optional<int> phase_offset(int phase, int pad, int kernel, int k, int stride) {
  const int distance = phase + pad - (kernel - 1 - k);
  if (distance % stride != 0) return std::nullopt;
  return distance / stride;
}

void add_taps(ConvGrid& grid, const Window& window, int ky, int row) {
  for (int phase = 0; phase < grid.phases; ++phase) {
    for (int kx = 0; kx < window.kernel_w; ++kx) {
      const auto column = phase_offset(phase, window.pad_left, window.kernel_w, kx, window.stride_w);
      if (!column) continue;
      auto same = std::find_if(grid.taps.begin(), grid.taps.end(), [&](const Tap& tap) {
        return tap.row == row && tap.column == *column && tap.source[static_cast<std::size_t>(phase)] < 0;
      });
      if (same == grid.taps.end()) same = grid.taps.insert(same, Tap{row, *column, {-1, -1}});
      same->source[static_cast<std::size_t>(phase)] = ky * window.kernel_w + kx;
    }
  }
}

std::vector<ConvGrid> transposed_grids(const Conv& conv) {
  const auto& window = conv.window;
  std::vector<ConvGrid> grids;
  for (int first = 0; first < std::min<int>(window.stride_h, static_cast<int>(conv.output.height)); ++first) {
    ConvGrid grid;
    grid.height = divide_up(static_cast<int>(conv.output.height) - first, window.stride_h);
    grid.first_row = first;
    grid.row_step = window.stride_h;
    grid.out_width = static_cast<int>(conv.output.width);
    grid.width = divide_up(grid.out_width, window.stride_w);
    grid.phases = window.stride_w;
    for (int ky = 0; ky < window.kernel_h; ++ky) {
      const auto row = phase_offset(first, window.pad_top, window.kernel_h, ky, window.stride_h);
      if (row) add_taps(grid, window, ky, *row);
    }
    grids.push_back(grid);
  }
  return grids;
}

bool is_covered(const Conv& conv) {
  const auto& window = conv.window;
  if (conv.input.batch != 1 || (conv.depthwise && conv.multiplier != 1)) return false;
  if (conv.transposed && window.stride_w > max_phases) return false;
  return window.stride_w <= max_step;
}

}  // namespace

int ByteChains::longest() const { return lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end()); }

std::vector<GroupRun> runs_of(const ConvShape& shape) {
  if (!shape.runs.empty()) return shape.runs;
  return {{shape.depthwise ? 1 : shape.input_groups, {}}};
}

std::ptrdiff_t all_weight_bytes(const ConvShape& shape, int channels) {
  if (!shape.pair_chains.empty()) return 2 * pairs_of(shape) * channels;
  std::ptrdiff_t sources = 0;
  for (const auto& tap : shape.grid.taps) {
    for (const int source : tap.source) sources += source >= 0 ? 1 : 0;
  }
  std::ptrdiff_t bytes = 0;  // of one channel and one source
  for (const auto& run : runs_of(shape)) bytes += run.groups * weight_bytes_of(shape, run);
  return sources * channels * bytes;
}

int unrolled_groups(const ConvShape& shape, const GroupRun& run) {
  constexpr int unrolled_taps = 9;
  const int taps = std::max(static_cast<int>(shape.grid.taps.size()), 1);
  int unroll = std::clamp(unrolled_taps / taps, 1, std::max(run.groups, 1));
  while (run.groups % unroll != 0) --unroll;
  return unroll;
}

std::vector<std::vector<GroupTap>> chains_of(const ConvShape& shape, const GroupRun& run) {
  std::vector<std::vector<GroupTap>> chains;
  int left = 0;
  for (int group = 0; group < unrolled_groups(shape, run); ++group) {
    for (const auto& tap : shape.grid.taps) {
      if (left == 0) {
        left = run.chains.are_used() ? run.chains.lengths[chains.size()] : 1;
        chains.emplace_back();
      }
      chains.back().push_back({group, &tap});
      --left;
    }
  }
  return chains;
}

std::optional<std::vector<ConvGrid>> grids_of(const Conv& conv) {
  if (!is_covered(conv)) return std::nullopt;
  auto grids = conv.transposed ? transposed_grids(conv) : plain_grids(conv);
  const bool too_large =
      std::any_of(grids.begin(), grids.end(), [](const ConvGrid& grid) { return grid.taps.size() > max_taps; });
  if (too_large || pads_of(grids, conv.input).side > max_side_pad) return std::nullopt;
  return grids;
}

Pads pads_of(const std::vector<ConvGrid>& grids, const Extents& input) {
  Pads pads;
  for (const auto& grid : grids) {
    for (const auto& tap : grid.taps) {
      const int last_row = (grid.height - 1) * grid.step_y + tap.row;
      const int last_column = (grid.width - 1) * grid.step_x + tap.column;
      pads.include({-tap.row, last_row - static_cast<int>(input.height - 1),
                    std::max(-tap.column, last_column - static_cast<int>(input.width - 1))});
    }
  }
  return pads;
}

}  // namespace nerone::softdpu::jit
