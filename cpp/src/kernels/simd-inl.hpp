// Included once per instruction set, by way of hwy/foreach_target.h.
#if defined(NERONE_KERNELS_SIMD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef NERONE_KERNELS_SIMD_INL_HPP
#undef NERONE_KERNELS_SIMD_INL_HPP
#else
#define NERONE_KERNELS_SIMD_INL_HPP
#endif

#include <hwy/highway.h>

// For lambdas: a call of its own per vector would cost more than what they do.
#ifndef NERONE_INLINE
#define NERONE_INLINE HWY_ATTR __attribute__((always_inline))
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>

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

// Vector p of pixels. On NEON the four vectors of a block of bytes come from one load.
template <typename T>
HWY_INLINE Floats load_pixels(FloatTag d, const T* pixels, std::size_t p) {
#if HWY_ARCH_ARM_A64
  if constexpr (sizeof(T) == 1) {
    using Wide = std::conditional_t<std::is_signed_v<T>, std::int16_t, std::uint16_t>;
    const hn::Full128<T> d_bytes;
    const hn::Half<decltype(d_bytes)> d_half;
    const hn::Full128<Wide> d_wide;
    const hn::Half<decltype(d_wide)> d_wide_half;
    const auto bytes = hn::LoadU(d_bytes, pixels + p / parts * block);
    const auto wide = hn::PromoteTo(d_wide, p % 4 < 2 ? hn::LowerHalf(d_half, bytes) : hn::UpperHalf(d_half, bytes));
    const auto quarter = p % 2 == 0 ? hn::LowerHalf(d_wide_half, wide) : hn::UpperHalf(d_wide_half, wide);
    return hn::ConvertTo(d, hn::PromoteTo(hn::Rebind<std::int32_t, FloatTag>(), quarter));
  }
#endif
  return load_pixels(d, pixels + p * lanes);
}

HWY_INLINE Floats apply(FloatTag d, const Affine& a, Floats x) {
  const auto clamped = a.clamps ? hn::Min(hn::Max(x, hn::Set(d, a.low)), hn::Set(d, a.high)) : x;
  const auto y = hn::Add(hn::Mul(clamped, hn::Set(d, a.scale)), hn::Set(d, a.offset));
  return a.keep_zero ? hn::IfThenZeroElse(hn::Eq(x, hn::Zero(d)), y) : y;
}

HWY_INLINE Floats apply(FloatTag d, const Chain& chain, std::size_t channel, Floats x) {
  for (std::size_t step = 0; step < chain.steps; ++step) x = apply(d, chain.affine[step * chain.channels + channel], x);
  return x;
}

using Ints = hn::Vec<hn::Rebind<std::int32_t, FloatTag>>;

// floor(x + 0.5) for x that is no NaN; exact where that lies in [-128, 127], saturated or far outside elsewhere.
HWY_INLINE Ints round_half_up(FloatTag d, Floats x) {
  const auto y = hn::Add(x, hn::Set(d, 0.5F));
#if HWY_TARGET == HWY_AVX3
  // Too small a value converts to the smallest integer, which is right; too great a one would too, which is not.
  const auto limited = hn::Min(y, hn::Set(d, 127.5F));
  return Ints{_mm512_cvt_roundps_epi32(limited.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
#elif HWY_ARCH_ARM_A64
  // Rounds down and saturates to 32 bits at once; what follows saturates to 8.
  return Ints{vcvtmq_s32_f32(y.raw)};
#else
  const hn::Rebind<std::int32_t, FloatTag> di;
  const auto saturated = hn::Min(hn::Max(hn::Floor(y), hn::Set(d, -128.0F)), hn::Set(d, 127.0F));
#if HWY_ARCH_X86
  // 3 * 2^22 leaves the integer in the lowest bits of the sum; a conversion would cost more.
  const auto shifted = hn::BitCast(di, hn::Add(saturated, hn::Set(d, 12582912.0F)));
  return hn::Sub(shifted, hn::Set(di, 0x4B400000));
#else
  return hn::ConvertTo(di, saturated);
#endif
#endif
}

// Sixteen values, given by `part(0)` .. `part(parts - 1)`, as int8.
template <typename Part>
HWY_INLINE hn::Vec<ByteTag> quantize_block(FloatTag d, Part&& part) {
  const ByteTag d8;
  const hn::Rebind<std::int8_t, FloatTag> d8_part;
  if constexpr (parts == 1) {
    return hn::DemoteTo(d8_part, round_half_up(d, part(0)));
  } else if constexpr (parts == 2) {
    const auto low = hn::DemoteTo(d8_part, round_half_up(d, part(0)));
    return hn::Combine(d8, hn::DemoteTo(d8_part, round_half_up(d, part(1))), low);
  } else {
    const hn::Rebind<std::int16_t, FloatTag> d16_part;
    const hn::CappedTag<std::int16_t, 8> d16;
    const hn::Half<ByteTag> d8_half;
    const auto pair = [&](std::size_t first) NERONE_INLINE {
      const auto low = hn::DemoteTo(d16_part, round_half_up(d, part(first)));
      const auto high = hn::DemoteTo(d16_part, round_half_up(d, part(first + 1)));
      return hn::DemoteTo(d8_half, hn::Combine(d16, high, low));
    };
    const auto low = pair(0);
    return hn::Combine(d8, pair(2), low);
  }
}

// Four blocks, given by `part(0)` .. `part(4 * parts - 1)`, to memory.
template <typename Part>
HWY_INLINE void store_four_blocks(FloatTag d, Part&& part, std::int8_t* to) {
#if HWY_TARGET == HWY_AVX3
  // Packing four vectors costs half the shuffles of four conversions; it leaves the blocks' quarters side by side.
  const auto order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const auto low = _mm512_packs_epi32(round_half_up(d, part(0)).raw, round_half_up(d, part(1)).raw);
  const auto high = _mm512_packs_epi32(round_half_up(d, part(2)).raw, round_half_up(d, part(3)).raw);
  _mm512_storeu_si512(to, _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high)));
#else
  // Two blocks before the first store, behind which a compiler would not move the second one's loads.
  for (std::size_t b = 0; b < 4; b += 2) {
    const auto bytes = [&](std::size_t at) NERONE_INLINE {
      return quantize_block(d, [&](std::size_t p) NERONE_INLINE { return part(at * parts + p); });
    };
    const auto first = bytes(b);
    const auto second = bytes(b + 1);
    hn::StoreU(first, ByteTag(), to + b * block);
    hn::StoreU(second, ByteTag(), to + (b + 1) * block);
  }
#endif
}

}  // namespace nerone::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
