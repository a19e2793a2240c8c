// Included once per instruction set, by way of hwy/foreach_target.h.
#if defined(NERONE_KERNELS_SIMD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef NERONE_KERNELS_SIMD_INL_HPP
#undef NERONE_KERNELS_SIMD_INL_HPP
#else
#define NERONE_KERNELS_SIMD_INL_HPP
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "kernels/affine.hpp"

HWY_BEFORE_NAMESPACE();
namespace nerone::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::CappedTag<float, 16>;
using Floats = hn::Vec<FloatTag>;
using ByteTag = hn::CappedTag<std::int8_t, 16>;
constexpr std::size_t lanes = hn::MaxLanes(FloatTag());
// Results leave in blocks of sixteen bytes.
constexpr std::size_t block = 16;
constexpr std::size_t parts = block / lanes;

HWY_INLINE Floats limit(FloatTag d, Floats x) {
  return hn::Min(hn::Max(x, hn::Set(d, -value_limit)), hn::Set(d, value_limit));
}

template <typename T>
HWY_INLINE Floats load_pixels(FloatTag d, const T* pixels) {
  const hn::Rebind<std::int32_t, FloatTag> d32;
  if constexpr (sizeof(T) == 4) {
    return hn::ConvertTo(d, hn::LoadU(d32, pixels));
  } else {
    return hn::ConvertTo(d, hn::PromoteTo(d32, hn::LoadU(hn::Rebind<T, FloatTag>(), pixels)));
  }
}

template <>
HWY_INLINE Floats load_pixels<float>(FloatTag d, const float* pixels) {
  const auto x = hn::LoadU(d, pixels);
  return limit(d, hn::IfThenElseZero(hn::Eq(x, x), x));
}

HWY_INLINE Floats apply(FloatTag d, const Affine& a, Floats x) {
  const auto clamped = hn::Min(hn::Max(x, hn::Set(d, a.low)), hn::Set(d, a.high));
  const auto y = hn::Add(hn::Mul(clamped, hn::Set(d, a.scale)), hn::Set(d, a.offset));
  return a.keep_zero ? hn::IfThenZeroElse(hn::Eq(x, hn::Zero(d)), y) : y;
}

HWY_INLINE Floats apply(FloatTag d, const Chain& chain, std::size_t channel, Floats x) {
  for (std::size_t step = 0; step < chain.steps; ++step) x = apply(d, chain.affine[step * chain.channels + channel], x);
  return x;
}

HWY_INLINE hn::Vec<hn::Rebind<std::int32_t, FloatTag>> round_half_up(FloatTag d, Floats x, Floats scale) {
  const auto y = hn::Floor(hn::Add(hn::Mul(limit(d, x), scale), hn::Set(d, 0.5F)));
  const auto saturated = hn::Min(hn::Max(y, hn::Set(d, -128.0F)), hn::Set(d, 127.0F));
  return hn::ConvertTo(hn::Rebind<std::int32_t, FloatTag>(), saturated);
}

// Sixteen values, given by `part(0)` .. `part(parts - 1)`, as int8.
template <typename Part>
HWY_INLINE hn::Vec<ByteTag> quantize_block(FloatTag d, Floats scale, Part&& part) {
  const ByteTag d8;
  const hn::Rebind<std::int8_t, FloatTag> d8_part;
  if constexpr (parts == 1) {
    return hn::DemoteTo(d8_part, round_half_up(d, part(0), scale));
  } else if constexpr (parts == 2) {
    const auto low = hn::DemoteTo(d8_part, round_half_up(d, part(0), scale));
    return hn::Combine(d8, hn::DemoteTo(d8_part, round_half_up(d, part(1), scale)), low);
  } else {
    const hn::Rebind<std::int16_t, FloatTag> d16_part;
    const hn::CappedTag<std::int16_t, 8> d16;
    const hn::Half<ByteTag> d8_half;
    const auto pair = [&](std::size_t first) HWY_ATTR {
      const auto low = hn::DemoteTo(d16_part, round_half_up(d, part(first), scale));
      const auto high = hn::DemoteTo(d16_part, round_half_up(d, part(first + 1), scale));
      return hn::DemoteTo(d8_half, hn::Combine(d16, high, low));
    };
    const auto low = pair(0);
    return hn::Combine(d8, pair(2), low);
  }
}

}  // namespace nerone::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
