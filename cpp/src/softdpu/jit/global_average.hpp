#pragma once

// The average of all pixels of an image, for each channel: y = R(S * factor / 2^shift), S their sum.

#include <cstdint>

#include "softdpu/jit/image.hpp"
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/range.hpp"

namespace nerone::softdpu::jit {

struct AverageRule {
  std::int64_t factor = 1;
  int shift = 0;
};

// The input's gaps hold zeros. The output has a single pixel; `groups` of it are written.
void average(Isa isa, const ConstImage& input, const AverageRule& rule, const Image& output, const Range& groups);

}  // namespace nerone::softdpu::jit
