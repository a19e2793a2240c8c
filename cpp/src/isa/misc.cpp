// The misc unit: pixel by pixel, all channels of a group at once.

#include <algorithm>
#include <cmath>

#include "isa/execute.hpp"

namespace nerone::isa {

namespace {

// Rows of channels `group` of the window's pixels under the kernel at (line, column), with the tap's number. Padding is
// left out.
template <typename Visit>
void over_kernel(const Window& window, const Machine& machine, Memory& memory, int line, int column, int group,
                 Visit visit) {
  for (int ky = 0; ky < window.kernel_h; ++ky) {
    const auto r = line * window.stride_h + ky;
    if (!window.has_line(r)) continue;
    auto at = window.line(r, machine);
    const auto start = at.row;
    for (int kx = 0; kx < window.kernel_w; ++kx) {
      const auto c = column * window.stride_w + kx;
      if (!window.has_column(c)) continue;
      at.row = start + c * window.column_step + group;
      visit(ky * window.kernel_w + kx, memory.row(at));
    }
  }
}

// Channels of a group that are read; the others count as 0.
int read_channels(const Window& window, int group, int channels) {
  return group == window.groups - 1 ? channels - window.unread_channels : channels;
}

// visit(line, column, group, output row)
template <typename Visit>
void over_tile(const Tile& tile, const Machine& machine, Memory& memory, Visit visit) {
  for (int line = 0; line < tile.lines; ++line) {
    auto at = tile.line(line, machine);
    const auto start = at.row;
    for (int column = 0; column < tile.columns; ++column) {
      for (int group = 0; group < tile.groups; ++group) {
        at.row = start + column * tile.column_step + group;
        visit(line, column, group, memory.row(at));
      }
    }
  }
}

std::int8_t rounded(double value) {
  return static_cast<std::int8_t>(std::clamp(std::floor(value + 0.5), -128.0, 127.0));
}

}  // namespace

void depthwise(const Depthwise& op, const Machine& machine, Memory& memory, Scratch& scratch) {
  const auto channels = machine.channels;
  scratch.sums.resize(static_cast<std::size_t>(channels));
  auto* sums = scratch.sums.data();
  over_tile(op.tile, machine, memory, [&](int line, int column, int group, std::int8_t* output) {
    std::fill_n(sums, channels, 0);
    const auto count = read_channels(op.window, group, channels);
    over_kernel(op.window, machine, memory, line, column, group, [&](int tap, const std::int8_t* x) {
      const auto* w = memory.row({machine.depthwise_bank(), op.weight_row + tap * op.tap_rows + group});
      for (int c = 0; c < count; ++c) sums[c] += x[c] * w[c];
    });
    const auto* bias = memory.row({machine.bias_bank(), op.bias_row + group});
    for (int c = 0; c < channels; ++c) output[c] = scaled(op.scale, sums[c], op.has_bias ? bias[c] : 0);
  });
}

void pool(const Pooling& op, const Machine& machine, Memory& memory, Scratch& scratch) {
  const auto channels = machine.channels;
  scratch.sums.resize(static_cast<std::size_t>(channels));
  auto* sums = scratch.sums.data();
  over_tile(op.tile, machine, memory, [&](int line, int column, int group, std::int8_t* output) {
    const auto count = read_channels(op.window, group, channels);
    std::fill_n(sums, channels, op.is_max ? -128 : 0);
    over_kernel(op.window, machine, memory, line, column, group, [&](int, const std::int8_t* x) {
      if (op.is_max) {
        for (int c = 0; c < channels; ++c) sums[c] = std::max<std::int32_t>(sums[c], x[c]);
      } else {
        for (int c = 0; c < channels; ++c) sums[c] += x[c];
      }
    });
    std::fill(sums + count, sums + channels, 0);
    for (int c = 0; c < channels; ++c) {
      output[c] = op.is_max && op.left == 0 ? static_cast<std::int8_t>(sums[c])
                                            : rounded(std::ldexp(sums[c] * op.factor, op.left));
    }
  });
}

void hard_sigmoid(const HardSigmoid& op, const Machine& machine, Memory& memory) {
  const auto channels = machine.channels;
  constexpr std::int64_t slope = 2731, most = std::int64_t{1} << 32;
  const auto offset = 3 * slope * (std::int64_t{1} << op.input_shift);
  over_tile(op.tile, machine, memory, [&](int line, int column, int group, std::int8_t* output) {
    const auto count = read_channels(op.window, group, channels);
    const std::int8_t* x = nullptr;
    over_kernel(op.window, machine, memory, line, column, group, [&](int, const std::int8_t* row) { x = row; });
    for (int c = 0; c < channels; ++c) {
      const auto value = x != nullptr && c < count ? x[c] : 0;
      output[c] = rounded(
          std::ldexp(static_cast<double>(std::clamp<std::int64_t>(value * slope + offset, 0, most)), -op.shift));
    }
  });
}

void elementwise(const Elementwise& op, const Machine& machine, Memory& memory) {
  const auto channels = machine.channels;
  const auto left = op.left - (op.adds ? 2 : 4);
  const std::int8_t* rows[4] = {};
  const auto inputs = op.inputs.size();
  over_tile(op.tile, machine, memory, [&](int line, int column, int group, std::int8_t* output) {
    for (std::size_t i = 0; i < inputs; ++i) {
      auto at = op.inputs[i].line(line, machine);
      at.row += column * op.inputs[i].column_step + group;
      rows[i] = memory.row(at);
    }
    for (int c = 0; c < channels; ++c) {
      std::int64_t value = op.adds ? 0 : 1;
      for (std::size_t i = 0; i < inputs; ++i) {
        const std::int64_t quarter = (rows[i][c] * 4) >> op.inputs[i].shift;
        value = op.adds ? value + quarter : value * quarter;
      }
      if (op.has_relu) value = std::max<std::int64_t>(value, 0);
      output[c] = left >= 0
                      ? static_cast<std::int8_t>(std::clamp<std::int64_t>(value * (std::int64_t{1} << left), -128, 127))
                      : static_cast<std::int8_t>(
                            std::clamp<std::int64_t>((value + (std::int64_t{1} << (-left - 1))) >> -left, -128, 127));
    }
  });
}

}  // namespace nerone::isa
