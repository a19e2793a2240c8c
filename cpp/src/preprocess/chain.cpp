#include "preprocess/chain.hpp"

#include <algorithm>
#include <cmath>

namespace nerone::preprocess {

bool merge_clamp(kernels::Affine* clamp, const kernels::Affine* next, std::size_t channels) {
  for (std::size_t c = 0; c < channels; ++c) {
    if (clamp[c].scale != 1.0F || clamp[c].offset != 0.0F || clamp[c].keep_zero || next[c].keep_zero) return false;
    if (!clamp[c].clamps || !next[c].clamps) return false;
  }
  for (std::size_t c = 0; c < channels; ++c) {
    const float low = std::min(std::max(clamp[c].low, next[c].low), next[c].high);
    const float high = std::min(std::max(clamp[c].high, next[c].low), next[c].high);
    clamp[c] = {low, high, next[c].scale, next[c].offset, false, true};
  }
  return true;
}

bool needs_clamp(const kernels::Affine* step, std::size_t channels) {
  for (std::size_t c = 0; c < channels; ++c) {
    if (step[c].clamps && (step[c].low > -kernels::value_limit || step[c].high < kernels::value_limit)) return true;
  }
  return false;
}

bool scales_exactly(const kernels::Affine* step, std::size_t channels, float power) {
  const auto exact = [power](float value) {
    const float size = std::fabs(value);
    return value == 0.0F || (size > 1e-20F && size < 1e20F && size * power > 1e-20F && size * power < 1e20F);
  };
  for (std::size_t c = 0; c < channels; ++c) {
    if (!exact(step[c].scale) || !exact(step[c].offset)) return false;
  }
  return true;
}

bool same_for_all(const kernels::Affine* chain, std::size_t steps, std::size_t channels) {
  for (std::size_t s = 0; s < steps; ++s) {
    const kernels::Affine& first = chain[s * channels];
    for (std::size_t c = 1; c < channels; ++c) {
      const kernels::Affine& other = chain[s * channels + c];
      if (other.low != first.low || other.high != first.high || other.scale != first.scale ||
          other.offset != first.offset) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace nerone::preprocess
