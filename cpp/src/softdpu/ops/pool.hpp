#pragma once

// pool-fix.
//   MAX: the maximum over the pixels of the window that lie inside the image, y = R(max * 2^(fo - fi))
//   AVG: S = the window's sum with pads counted as 0, y = R(S * N / 2^M * 2^(fo - fi)), the DPU's approximation
//        N / 2^M of 1 / (kh * kw).
// Floor mode: output = floor((in + pads - kernel) / stride) + 1.

#include "softdpu/ops/window.hpp"
#include "softdpu/value.hpp"

namespace nerone::softdpu {

struct Pool {
  enum class Kind { max, average };

  Kind kind = Kind::max;
  Window window;
  Extents input, output;
  std::int64_t factor = 1;  // N; 1 for MAX
  int shift = 0;            // y = R(factor * (max or sum) / 2^shift)
};

// (N, M): 3x3 (7, 6), 5x5 (10, 8), 6x6 (7, 8), 7x7 (21, 10), 14x14 (21, 12); otherwise the first M in
// 0 .. ceil(log2(128 k)) - 1, k = kh * kw, whose N = round(2^M / k) comes strictly closer to 1 / k than the ones
// before.
struct Reciprocal {
  std::int64_t factor = 1;
  int shift = 0;
};
Reciprocal average_reciprocal(int kernel_h, int kernel_w);

Pool parse_pool(const xmodel::Op& op, const Value& input, const Value& output);
// reduction_max over all rows, all columns or both of an image: a MAX pool whose window is as long as these axes.
Pool parse_reduction_max(const xmodel::Op& op, const Value& input, const Value& output);
void run_scalar(const Pool& pool, const std::int8_t* input, std::int8_t* output);

}  // namespace nerone::softdpu
