#include <algorithm>

#include "kernels/dispatch.hpp"
#include "kernels/percentile/percentile.hpp"
#include "kernels/percentile/rank.hpp"
#include "kernels/scalar.hpp"

namespace nerone::kernels::scalar {

std::size_t collect(DType dtype, const void* pixels, std::size_t count, bool skip_zeros, float* out) {
  std::size_t kept = 0;
  for_pixel_type(dtype, [&](auto type) {
    using T = decltype(type);
    for (std::size_t i = 0; i < count; ++i) {
      const float x = enter(static_cast<const T*>(pixels)[i]);
      if (!skip_zeros || x != 0.0F) out[kept++] = x;
    }
  });
  return kept;
}

PercentilePair percentiles(const float* values, std::size_t count, double low_percent, double high_percent,
                           float* scratch) {
  if (count == 0) return {0.0F, 0.0F};
  std::copy(values, values + count, scratch);
  std::sort(scratch, scratch + count);
  const auto at = [&](double percent) {
    const Rank rank = rank_of(percent, count);
    return between(scratch[rank.below], scratch[rank.above], rank.part);
  };
  return {at(low_percent), at(high_percent)};
}

}  // namespace nerone::kernels::scalar
