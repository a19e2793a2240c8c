#pragma once

// Requantization in 32 bits for the vectorised loops.

#include <cstdint>
#include <optional>

#include "softdpu/activation.hpp"

namespace nerone::softdpu::portable {

// R(act(v / 2^shift)) as clamp((clamp(v) * factor + round) >> right, low, high).
struct Narrow {
  std::int32_t limit = 0;  // |v| is first held to this, so that neither step overflows
  std::int32_t factor = 1;
  std::int32_t round = 0;
  std::int32_t right = 0;
  std::int32_t low = -128, high = 127;
  // As above for negative values of LEAKYRELU; 0 for other activations.
  std::int32_t negative_limit = 0, negative_factor = 0, negative_round = 0, negative_right = 0;
};

// Nothing where the activation is no clamp or LEAKYRELU, or 32 bits do not hold it. Exact for |v| <= bound < 2^30.
std::optional<Narrow> narrow(const Activation& activation, int shift, std::int64_t bound = (1 << 30) - 1);

}  // namespace nerone::softdpu::portable
