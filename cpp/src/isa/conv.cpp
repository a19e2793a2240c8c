// CONV: lines of the window are widened once into a ring of kernel_h lines; sums run over pairs of input channels for
// all output channels at once.

#include <algorithm>
#include <cstring>

#include "isa/conv_rows.hpp"
#include "isa/execute.hpp"

namespace nerone::isa {

namespace {

// Weights of output channel o stand in bank o: tap, group, channel.
void prepare_weights(const Convolution& op, const Machine& machine, Memory& memory, Scratch& scratch) {
  const auto rows = op.window.kernel_h * op.window.kernel_w * op.window.groups;
  if (scratch.weight_row == op.weight_row && scratch.weight_rows == rows &&
      scratch.weights_version == memory.weights_version) {
    return;
  }
  const auto channels = machine.channels;
  scratch.weights.assign(static_cast<std::size_t>(rows) * channels * max_outputs, 0);
  for (int o = 0; o < channels; ++o) {
    auto* to = scratch.weights.data() + 2 * o;
    for (int row = 0; row < rows; ++row) {
      const auto* from = memory.row({machine.weight_bank(o), op.weight_row + row});
      for (int c = 0; c < channels; c += 2, to += 2 * max_outputs) {
        to[0] = from[c];
        to[1] = from[c + 1];
      }
    }
  }
  scratch.weight_row = op.weight_row;
  scratch.weight_rows = rows;
  scratch.weights_version = memory.weights_version;
}

// One line of the window, padding as zeros.
void gather_line(const Window& window, const Machine& machine, Memory& memory, int line, std::int16_t* to) {
  const auto pixel = window.groups * machine.channels;
  if (!window.has_line(line)) {
    std::fill_n(to, static_cast<std::ptrdiff_t>(window.columns) * pixel, std::int16_t{0});
    return;
  }
  auto at = window.line(line, machine);
  const auto start = at.row;
  for (int column = 0; column < window.columns; ++column, to += pixel) {
    if (!window.has_column(column)) {
      std::fill_n(to, pixel, std::int16_t{0});
      continue;
    }
    at.row = start + column * window.column_step;
    if (Memory::rows_left(at.row) >= window.groups) {
      std::copy_n(memory.row(at), pixel, to);
    } else {
      for (int group = 0; group < window.groups; ++group, ++at.row) {
        std::copy_n(memory.row(at), machine.channels, to + group * machine.channels);
      }
    }
    std::fill_n(to + pixel - window.unread_channels, window.unread_channels, std::int16_t{0});
  }
}

// Whether 2 * sum + bias + rounding stays within 32 bits.
bool fits_int32(const Convolution& op, int channels) {
  const auto products = std::int64_t{op.window.kernel_h} * op.window.kernel_w * op.window.groups * channels;
  return op.scale.act != Act::leaky && products <= 1 << 14 && op.scale.shift <= 28 && op.scale.bias_shift <= 21;
}

Narrow narrow_of(const Scale& scale) {
  const auto low = scale.act == Act::none ? -128 : 0;
  return {1 << scale.shift, low, scale.act == Act::relu6 ? 96 : 127, scale.shift + 1};
}

void write_line(const Convolution& op, const Machine& machine, Memory& memory, int line, Scratch& scratch) {
  const auto channels = machine.channels;
  const auto* bias = memory.row({machine.bias_bank(), op.bias_row});
  const bool is_narrow = fits_int32(op, channels);
  if (is_narrow) {
    std::int32_t doubled[max_outputs] = {};
    for (int o = 0; o < channels; ++o) doubled[o] = bias[o] * (1 << op.scale.bias_shift);
    narrow_line(narrow_of(op.scale), doubled, scratch.sums.data(), op.tile.columns);
  }
  auto at = op.tile.line(line, machine);
  for (int column = 0; column < op.tile.columns; ++column, at.row += op.tile.column_step) {
    const auto* sums = scratch.sums.data() + column * max_outputs;
    auto* to = memory.row(at);
    for (int o = 0; o < channels; ++o) {
      to[o] = is_narrow ? static_cast<std::int8_t>(sums[o]) : scaled(op.scale, sums[o], bias[o]);
    }
  }
}

}  // namespace

void convolve(const Convolution& op, const Machine& machine, Memory& memory, Scratch& scratch) {
  prepare_weights(op, machine, memory, scratch);
  const auto& window = op.window;
  const auto pixel = window.groups * machine.channels;
  const auto line_size = static_cast<std::size_t>(window.columns) * pixel;
  scratch.lines.resize(line_size * window.kernel_h);
  scratch.sums.resize(static_cast<std::size_t>(op.tile.columns) * max_outputs);
  const std::int16_t* lines[max_outputs] = {};  // kernels have at most 16 lines
  int gathered = 0;
  for (int line = 0; line < op.tile.lines; ++line) {
    const auto first = line * window.stride_h;
    for (int r = std::max(gathered, first); r < first + window.kernel_h; ++r) {
      gather_line(window, machine, memory, r, scratch.lines.data() + r % window.kernel_h * line_size);
    }
    gathered = first + window.kernel_h;
    for (int ky = 0; ky < window.kernel_h; ++ky) {
      lines[ky] = scratch.lines.data() + (first + ky) % window.kernel_h * line_size;
    }
    sum_line({lines, window.kernel_h, window.kernel_w, op.tile.columns, pixel, window.stride_w * pixel, pixel / 2,
              scratch.weights.data(), scratch.sums.data()});
    write_line(op, machine, memory, line, scratch);
  }
}

}  // namespace nerone::isa
