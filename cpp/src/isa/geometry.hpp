#pragma once

// Where the pixels of images lie: one line in each bank of a group, a pixel's channels in consecutive rows.

#include <array>

#include "isa/machine.hpp"

namespace nerone::isa {

struct RowAddress {
  int bank = 0;
  int row = 0;  // not yet taken modulo bank_rows
};

// Lines and columns that an instruction reads around its outputs, padding included.
struct Window {
  int lines = 0, columns = 0;
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int first_line = 0, last_line = 0;      // of those that are read; the others are padding
  int first_column = 0, last_column = 0;  // likewise
  int groups = 1;                         // rows of a pixel
  int unread_channels = 0;                // the last of them read as 0

  int bank = 0, line_offset = 0;  // of line 0 among the lines of its bank
  std::array<int, 4> starts{};    // the row of column 0, in each turn round the banks of the group
  int line_step = 0, column_step = 0;

  bool has_line(int line) const { return line >= first_line && line <= last_line; }
  bool has_column(int column) const { return column >= first_column && column <= last_column; }

  // Of column 0.
  RowAddress line(int index, const Machine& machine) const {
    const auto position = line_offset + index;
    const auto place = bank % machine.pixels + position / stride_h;
    return {bank - bank % machine.pixels + place % machine.pixels,
            starts[place / machine.pixels] + position % stride_h * line_step};
  }
};

// Lines and columns that an instruction writes.
struct Tile {
  int lines = 1, columns = 1;
  int groups = 1;  // rows of a pixel
  int bank = 0, start = 0;
  int line_offset = 0, lines_per_bank = 1;
  int line_step = 0, column_step = 1;

  RowAddress line(int index, const Machine& machine) const {
    const auto position = index + line_offset;
    const auto place = bank % machine.pixels + position / lines_per_bank;
    return {bank - bank % machine.pixels + place % machine.pixels,
            start + place / machine.pixels * lines_per_bank * line_step + position % lines_per_bank * line_step};
  }
};

// Lines that ELEW reads: every `bank_step`-th bank.
struct Strip {
  int bank = 0, start = 0;
  int bank_step = 1, turn_step = 0, column_step = 0;
  int shift = 0;  // of the value read

  RowAddress line(int index, const Machine& machine) const {
    const auto place = bank % machine.pixels + index * bank_step;
    return {bank - bank % machine.pixels + place % machine.pixels, start + place / machine.pixels * turn_step};
  }
};

}  // namespace nerone::isa
