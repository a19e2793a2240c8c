#pragma once

// tile-fix of step s: with `reverse` depth to space, y[h * s + ky, w * s + kx, c] = x[h, w, (ky * s + kx) * C + c], C
// the output's channels; without it the inverse, space to depth. The bytes stay as they are.

#include <nerone/xmodel.hpp>

#include "softdpu/value.hpp"

namespace nerone::softdpu {

struct Tile {
  bool to_space = false;
  std::int64_t step = 1;
  Extents coarse, fine;  // few rows with many channels, and many rows with few
};

Tile parse_tile(const xmodel::Op& op, const Value& input, const Value& output);
void run_scalar(const Tile& tile, const std::int8_t* input, std::int8_t* output);

}  // namespace nerone::softdpu
