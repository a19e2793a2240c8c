#pragma once

// Streams made ready to run: every INIT applied, every bank, shift and size checked.

#include <cstdint>
#include <map>
#include <variant>
#include <vector>

#include "isa/geometry.hpp"
#include "isa/stream.hpp"

namespace nerone::isa {

constexpr int register_count = 8;

// LOAD: pieces from DDR into rows. SAVE: rows into DDR.
struct Transfer {
  bool is_load = true;
  int bank = 0, row = 0;
  int pieces = 1;
  int piece_bytes = 0;
  int row_step = 0;   // from piece to piece
  int byte_step = 0;  // likewise, in DDR
  int reg = 0;
  std::int64_t address = 0;
  // Bytes of the first and last pieces that are zero, whatever DDR holds.
  bool is_masked = false;
  int mask_start = 0, mask_end = 0, masked_last = 0;

  struct Span {
    int first = 0, last = 0;  // bytes [first, last) of a piece come from DDR
  };
  Span span(int piece, int channels) const;
};

enum class Act : std::uint8_t { none = 0, relu = 1, leaky = 3, relu6 = 4 };

// Round((2 * sum + bias * 2^bias_shift) / 2^(shift + 1)), the activation before rounding.
struct Scale {
  int shift = 0;
  int bias_shift = 0;
  Act act = Act::none;
};

struct Convolution {
  Window window;
  Tile tile;
  int weight_row = 0, bias_row = 0;
  Scale scale;
};

struct Depthwise {
  Window window;
  Tile tile;
  int weight_row = 0, tap_rows = 1;  // rows from tap to tap
  int bias_row = 0;
  bool has_bias = true;
  Scale scale;
};

// Over windows: the maximum, or the sum times `factor`; then times 2^left.
struct Pooling {
  Window window;
  Tile tile;
  bool is_max = true;
  double factor = 1;
  int left = 0;  // negative: a shift to the right
};

// Round(clamp(x * 2731 + 3 * 2731 * 2^input_shift, 0, 2^32) / 2^shift) of single pixels.
struct HardSigmoid {
  Window window;
  Tile tile;
  int input_shift = 0, shift = 0;
};

struct Elementwise {
  std::vector<Strip> inputs;
  Tile tile;
  bool adds = true;
  bool has_relu = false;
  int left = 0;  // of the sum or product; negative: a shift to the right
};

// Nothing for INITs and END.
using Operation = std::variant<std::monostate, Transfer, Convolution, Depthwise, Pooling, HardSigmoid, Elementwise>;

struct Program {
  Machine machine;
  Stream stream;                      // of all parts, one after the other
  std::vector<Operation> operations;  // one for each instruction
};

// ModelError names the first instruction that cannot run.
Program make_program(const Machine& machine, Stream stream);

// ModelError names the first instruction that reads or writes outside a register. Masked bytes may lie outside.
void check_registers(const Program& program, const std::map<int, std::size_t>& sizes_bytes);

}  // namespace nerone::isa
