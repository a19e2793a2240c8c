#include "kernels/moments/moments.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/moments/moments.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/dispatch.hpp"
#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nerone::kernels::HWY_NAMESPACE {

using DoubleTag = hn::CappedTag<double, 16>;
using Doubles = hn::Vec<DoubleTag>;
constexpr std::size_t wide = hn::MaxLanes(DoubleTag());
constexpr std::size_t sums = 16 / wide;

template <typename T>
std::size_t blocks_typed(const T* HWY_RESTRICT pixels, std::size_t count, Moments& moments) {
  const FloatTag d;
  const DoubleTag dd;
  const hn::Half<FloatTag> d_half;
  static_assert(lanes == 2 * wide, "a vector of floats makes two of doubles");
  Doubles sum[sums];
  Doubles square[sums];
  for (std::size_t s = 0; s < sums; ++s) {
    sum[s] = hn::LoadU(dd, moments.sums + s * wide);
    square[s] = hn::LoadU(dd, moments.squares + s * wide);
  }
  std::size_t i = 0;
  std::size_t zeros = 0;
  const auto add = [&](std::size_t s, Doubles x) NERONE_INLINE {
    sum[s] = hn::Add(sum[s], x);
    square[s] = hn::Add(square[s], hn::Mul(x, x));
  };
  for (; i + 16 <= count; i += 16) {
    for (std::size_t part = 0; part < parts; ++part) {
      const auto x = load_pixels(d, pixels + i + part * lanes);
      zeros += hn::CountTrue(d, hn::Eq(x, hn::Zero(d)));
      add(2 * part, hn::PromoteTo(dd, hn::LowerHalf(d_half, x)));
      add(2 * part + 1, hn::PromoteTo(dd, hn::UpperHalf(d_half, x)));
    }
  }
  for (std::size_t s = 0; s < sums; ++s) {
    hn::StoreU(sum[s], dd, moments.sums + s * wide);
    hn::StoreU(square[s], dd, moments.squares + s * wide);
  }
  moments.nonzero += i - zeros;
  return i;
}

template <typename T>
void moments_typed(const T* pixels, std::size_t count, DType dtype, Moments& moments) {
  // Up to the next sixteen of this channel one by one, so that blocks start at sum 0.
  std::size_t i = std::min(count, (16 - moments.phase) % 16);
  scalar::add_moments(dtype, pixels, i, moments);
  i += blocks_typed(pixels + i, count - i, moments);
  scalar::add_moments(dtype, pixels + i, count - i, moments);
}

void moments_of(DType dtype, const void* pixels, std::size_t count, Moments& moments) {
  for_pixel_type(dtype,
                 [&](auto type) { moments_typed(static_cast<const decltype(type)*>(pixels), count, dtype, moments); });
}

}  // namespace nerone::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nerone::kernels {

HWY_EXPORT(moments_of);

void add_moments(DType dtype, const void* pixels, std::size_t count, Moments& moments) {
  HWY_DYNAMIC_DISPATCH(moments_of)(dtype, pixels, count, moments);
}

}  // namespace nerone::kernels
#endif
