#pragma once

// upsample-fix, in float32 arithmetic as the reference has it.
//   s = (align_corners and out > 1) ? (in - 1) / (out - 1) : in / out
//   NEAREST:  index min(in - 1, (align_corners ? round : floor)(p)), p = i * s, or (i + 0.5) * s with
//   half_pixel_centers BILINEAR: p = i * s, or (i + 0.5) * s - 0.5; lo = max(floor p, 0), hi = min(ceil p, in - 1), f =
//   p - floor p;
//             a + (b - a) * f along x, then along y
//   y = R(v * 2^(fo - fi))

#include <nerone/xmodel.hpp>
#include <vector>

#include "softdpu/value.hpp"

namespace nerone::softdpu {

// One output coordinate's sources along one axis.
struct Tap {
  std::int64_t low = 0, high = 0;
  float fraction = 0.0F;
};

struct Upsample {
  bool bilinear = false;
  Extents input, output;
  std::vector<Tap> rows, columns;  // per output row and column; NEAREST uses `low` only
  int shift = 0;                   // fi - fo
};

Upsample parse_upsample(const xmodel::Op& op, const Value& input, const Value& output);
void run_scalar(const Upsample& upsample, const std::int8_t* input, std::int8_t* output);

}  // namespace nerone::softdpu
