#pragma once

#include <cstddef>
#include <cstdint>

namespace nerone::kernels {

// Pixel values beyond this count as this; NaN counts as 0. So every value stays finite.
constexpr float value_limit = 1e30F;

// One pointwise step: y = min(max(x, low), high) * scale + offset, each operation rounded to float32;
// with keep_zero, y = 0 where x = 0; without clamps, low and high do not count.
struct Affine {
  float low = -value_limit;
  float high = value_limit;
  float scale = 1.0F;
  float offset = 0.0F;
  bool keep_zero = false;
  bool clamps = true;
};

// Pointwise steps in order: step s of channel c is affine[s * channels + c].
struct Chain {
  const Affine* affine = nullptr;
  std::size_t steps = 0;
  std::size_t channels = 1;
};

}  // namespace nerone::kernels
