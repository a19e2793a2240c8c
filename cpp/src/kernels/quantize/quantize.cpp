#include "kernels/quantize/quantize.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize/quantize.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <type_traits>
#include <utility>

#include "kernels/dispatch.hpp"
#include "kernels/scalar.hpp"
#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nerone::kernels::HWY_NAMESPACE {

// One step that keeps no zeros, its constants in registers. An end that does not clamp is infinite.
template <bool Clamps>
struct SingleStep {
  explicit SingleStep(const Affine& a)
      : low(hn::Set(FloatTag(), a.clamps ? a.low : -infinity)),
        high(hn::Set(FloatTag(), a.clamps ? a.high : infinity)),
        scale(hn::Set(FloatTag(), a.scale)),
        offset(hn::Set(FloatTag(), a.offset)) {}

  HWY_INLINE Floats operator()(Floats x) const {
    if constexpr (Clamps) x = hn::Min(hn::Max(x, low), high);
    return hn::Add(hn::Mul(x, scale), offset);
  }

  static constexpr float infinity = std::numeric_limits<float>::infinity();
  Floats low, high, scale, offset;
};

bool has_single_steps(const Chain& chain) {
  bool single = chain.steps == 1;
  for (std::size_t c = 0; single && c < chain.channels; ++c) single = !chain.affine[c].keep_zero;
  return single;
}

bool clamps_any(const Chain& chain) {
  return std::any_of(chain.affine, chain.affine + chain.channels, [](const Affine& a) { return a.clamps; });
}

// Planes, `map(c, x)` giving the values of channel c.
template <typename T, std::size_t Channels, typename Map>
HWY_INLINE std::size_t planes_mapped(const void* const* planes, std::size_t count,
                                     std::int8_t* HWY_RESTRICT destination, Map&& map) {
  const FloatTag d;
  const ByteTag d8;
  const T* from[Channels];
  for (std::size_t c = 0; c < Channels; ++c) from[c] = static_cast<const T*>(planes[c]);
  std::size_t i = 0;
  for (; i + block <= count; i += block) {
    const auto bytes = [&](std::size_t c) NERONE_INLINE {
      return quantize_block(d, [&](std::size_t p) NERONE_INLINE { return map(c, load_pixels(d, from[c] + i, p)); });
    };
    std::int8_t* to = destination + i * Channels;
    if constexpr (Channels == 2) {
      hn::StoreInterleaved2(bytes(0), bytes(1), d8, to);
    } else if constexpr (Channels == 3) {
      hn::StoreInterleaved3(bytes(0), bytes(1), bytes(2), d8, to);
    } else {
      hn::StoreInterleaved4(bytes(0), bytes(1), bytes(2), bytes(3), d8, to);
    }
  }
  return i;
}

template <typename T, std::size_t... Channel>
std::size_t planes_of(const void* const* planes, std::size_t count, const Chain& chain,
                      std::int8_t* HWY_RESTRICT destination, std::index_sequence<Channel...>) {
  constexpr std::size_t channels = sizeof...(Channel);
  const FloatTag d;
  if (!has_single_steps(chain)) {
    return planes_mapped<T, channels>(planes, count, destination,
                                      [&](std::size_t c, Floats x) NERONE_INLINE { return apply(d, chain, c, x); });
  }
  if (clamps_any(chain)) {
    const SingleStep<true> steps[] = {SingleStep<true>(chain.affine[Channel])...};
    return planes_mapped<T, channels>(planes, count, destination,
                                      [&](std::size_t c, Floats x) NERONE_INLINE { return steps[c](x); });
  }
  const SingleStep<false> steps[] = {SingleStep<false>(chain.affine[Channel])...};
  return planes_mapped<T, channels>(planes, count, destination,
                                    [&](std::size_t c, Floats x) NERONE_INLINE { return steps[c](x); });
}

template <typename T>
std::size_t planes_of_any(const void* const* planes, std::size_t count, const Chain& chain,
                          std::int8_t* HWY_RESTRICT destination) {
  const FloatTag d;
  HWY_ALIGN std::int8_t bytes[block];
  std::size_t i = 0;
  for (; i + block <= count; i += block) {
    for (std::size_t c = 0; c < chain.channels; ++c) {
      const T* pixels = static_cast<const T*>(planes[c]) + i;
      const auto part = [&](std::size_t p)
                            NERONE_INLINE { return apply(d, chain, c, load_pixels(d, pixels + p * lanes)); };
      hn::StoreU(quantize_block(d, part), ByteTag(), bytes);
      for (std::size_t p = 0; p < block; ++p) destination[(i + p) * chain.channels + c] = bytes[p];
    }
  }
  return i;
}

// Values, `load(i, p)` giving the vector p of those from pixel i on, through one step.
template <bool Clamps, typename Load>
std::size_t single_step(std::size_t count, const Affine& affine, std::int8_t* HWY_RESTRICT destination, Load&& load) {
  const FloatTag d;
  const SingleStep<Clamps> step(affine);
  std::size_t i = 0;
  // A copy, which no store through `destination` can change.
  const std::decay_t<Load> fetch = load;
  const auto part = [&](std::size_t p) NERONE_INLINE { return step(fetch(i, p)); };
  for (; i + 4 * block <= count; i += 4 * block) store_four_blocks(d, part, destination + i);
  for (; i + block <= count; i += block) hn::StoreU(quantize_block(d, part), ByteTag(), destination + i);
  return i;
}

template <typename Load>
std::size_t one_plane(std::size_t count, const Chain& chain, std::int8_t* HWY_RESTRICT destination, Load&& load) {
  if (has_single_steps(chain)) {
    return clamps_any(chain) ? single_step<true>(count, *chain.affine, destination, load)
                             : single_step<false>(count, *chain.affine, destination, load);
  }
  const FloatTag d;
  std::size_t i = 0;
  const auto part = [&](std::size_t p) NERONE_INLINE { return apply(d, chain, 0, load(i, p)); };
  for (; i + block <= count; i += block) hn::StoreU(quantize_block(d, part), ByteTag(), destination + i);
  return i;
}

template <typename T>
void planes_typed(const void* const* planes, std::size_t count, const Chain& chain,
                  std::int8_t* HWY_RESTRICT destination) {
  std::size_t i = 0;
  switch (chain.channels) {
    case 1:
      i = one_plane(count, chain, destination,
                    [pixels = static_cast<const T*>(planes[0])](std::size_t at, std::size_t p)
                        NERONE_INLINE { return load_pixels(FloatTag(), pixels + at, p); });
      break;
    case 2:
      i = planes_of<T>(planes, count, chain, destination, std::make_index_sequence<2>());
      break;
    case 3:
      i = planes_of<T>(planes, count, chain, destination, std::make_index_sequence<3>());
      break;
    case 4:
      i = planes_of<T>(planes, count, chain, destination, std::make_index_sequence<4>());
      break;
    default:
      i = planes_of_any<T>(planes, count, chain, destination);
  }
  for (; i < count; ++i) {
    for (std::size_t c = 0; c < chain.channels; ++c) {
      const float x = scalar::enter(static_cast<const T*>(planes[c])[i]);
      destination[i * chain.channels + c] = scalar::quantize(scalar::apply(chain, c, x));
    }
  }
}

void planes(DType dtype, const void* const* pixels, std::size_t count, const Chain& chain, std::int8_t* destination) {
  for_pixel_type(dtype, [&](auto type) { planes_typed<decltype(type)>(pixels, count, chain, destination); });
}

template <typename T>
void interleaved_typed(const T* HWY_RESTRICT pixels, std::size_t elements, const TiledAffine* steps,
                       std::size_t step_count, std::size_t channels, std::int8_t* HWY_RESTRICT destination) {
  const FloatTag d;
  const std::size_t tile = block * channels;
  std::size_t e = 0;
  std::size_t in_tile = 0;
  for (; e + block <= elements; e += block) {
    const auto part = [&](std::size_t p) NERONE_INLINE {
      auto x = load_pixels(d, pixels + e + p * lanes);
      for (std::size_t s = 0; s < step_count; ++s) {
        const std::size_t at = in_tile + p * lanes;
        const auto clamped =
            steps[s].clamps ? hn::Min(hn::Max(x, hn::LoadU(d, steps[s].low + at)), hn::LoadU(d, steps[s].high + at))
                            : x;
        const auto y = hn::Add(hn::Mul(clamped, hn::LoadU(d, steps[s].scale + at)), hn::LoadU(d, steps[s].offset + at));
        x = steps[s].keep_zero ? hn::IfThenZeroElse(hn::Eq(x, hn::Zero(d)), y) : y;
      }
      return x;
    };
    hn::StoreU(quantize_block(d, part), ByteTag(), destination + e);
    in_tile = in_tile + block == tile ? 0 : in_tile + block;
  }
  for (; e < elements; ++e, ++in_tile) {
    float x = scalar::enter(pixels[e]);
    for (std::size_t s = 0; s < step_count; ++s) {
      const TiledAffine& t = steps[s];
      x = scalar::apply(
          Affine{t.low[in_tile], t.high[in_tile], t.scale[in_tile], t.offset[in_tile], t.keep_zero, t.clamps}, x);
    }
    destination[e] = scalar::quantize(x);
  }
}

void interleaved(DType dtype, const void* pixels, std::size_t elements, const TiledAffine* steps,
                 std::size_t step_count, std::size_t channels, std::int8_t* destination) {
  for_pixel_type(dtype, [&](auto type) {
    using T = decltype(type);
    interleaved_typed(static_cast<const T*>(pixels), elements, steps, step_count, channels, destination);
  });
}

// The sum of neighbours, as 32-bit integers: lane i is pixels[2i] + pixels[2i + 1].
template <typename T>
HWY_INLINE Ints pair_sums(const T* pixels) {
  const hn::Rebind<std::int32_t, FloatTag> di;
  const hn::Rebind<std::uint32_t, FloatTag> du;
  if constexpr (sizeof(T) == 2) {
    const auto pairs = hn::LoadU(hn::Repartition<T, decltype(di)>(), pixels);
    if constexpr (std::is_signed_v<T>) {
      const auto wide = hn::BitCast(di, pairs);
      return hn::Add(hn::ShiftRight<16>(hn::ShiftLeft<16>(wide)), hn::ShiftRight<16>(wide));
    } else {
      const auto wide = hn::BitCast(du, pairs);
      return hn::BitCast(di, hn::Add(hn::And(wide, hn::Set(du, 0xFFFFU)), hn::ShiftRight<16>(wide)));
    }
  } else {
    const hn::Rebind<std::int16_t, FloatTag> d16;
    const auto pairs = hn::BitCast(d16, hn::LoadU(hn::Repartition<T, decltype(d16)>(), pixels));
    const auto wide = hn::PromoteTo(di, pairs);
    if constexpr (std::is_signed_v<T>) {
      return hn::Add(hn::ShiftRight<24>(hn::ShiftLeft<24>(wide)), hn::ShiftRight<8>(wide));
    } else {
      const auto low = hn::And(wide, hn::Set(di, 0xFF));
      return hn::Add(low, hn::And(hn::ShiftRight<8>(wide), hn::Set(di, 0xFF)));
    }
  }
}

template <typename T>
std::size_t halved_typed(const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, std::ptrdiff_t ahead_bytes,
                         std::size_t count, const Chain& chain, std::int8_t* HWY_RESTRICT destination) {
  const FloatTag d;
  const auto fetch = [ahead_bytes](const T* pixels)
                         NERONE_INLINE { hwy::Prefetch(reinterpret_cast<const char*>(pixels) + ahead_bytes); };
  return one_plane(count, chain, destination, [=](std::size_t start, std::size_t p) NERONE_INLINE {
    const std::size_t at = start + p * lanes;
    fetch(a + 2 * at);
    fetch(b + 2 * at);
    const auto sum = hn::Add(pair_sums(a + 2 * at), pair_sums(b + 2 * at));
    return hn::Mul(hn::ConvertTo(d, sum), hn::Set(d, 0.25F));
  });
}

void halved(DType dtype, const void* pixels, std::ptrdiff_t row_stride_bytes, std::size_t height, std::size_t width,
            const Chain& chain, std::int8_t* destination) {
  // Frames come from memory, not from a cache, and processors do not look beyond a page of it.
  constexpr std::ptrdiff_t ahead = 4096;
  const std::ptrdiff_t pair_bytes = 2 * row_stride_bytes;
  const std::ptrdiff_t pairs = pair_bytes == 0 ? 0 : std::max<std::ptrdiff_t>(1, ahead / std::abs(pair_bytes));
  const std::ptrdiff_t ahead_bytes = pairs * pair_bytes;
  for_pixel_type(dtype, [&](auto type) {
    using T = decltype(type);
    const auto* row = static_cast<const char*>(pixels);
    for (std::size_t y = 0; y < height; ++y, row += 2 * row_stride_bytes, destination += width) {
      const auto* upper = reinterpret_cast<const T*>(row);
      const auto* lower = reinterpret_cast<const T*>(row + row_stride_bytes);
      std::size_t x = 0;
      if constexpr (sizeof(T) <= 2) x = halved_typed(upper, lower, ahead_bytes, width, chain, destination);
      if (x < width) {
        scalar::quantize_halved(dtype, upper + 2 * x, row_stride_bytes, 1, width - x, chain, destination + x);
      }
    }
  });
}

void map(float* HWY_RESTRICT row, std::size_t count, const Chain& chain, std::size_t channel) {
  const FloatTag d;
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(apply(d, chain, channel, hn::LoadU(d, row + i)), d, row + i);
  for (; i < count; ++i) row[i] = scalar::apply(chain, channel, row[i]);
}

}  // namespace nerone::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nerone::kernels {

HWY_EXPORT(planes);
HWY_EXPORT(interleaved);
HWY_EXPORT(halved);
HWY_EXPORT(map);

void quantize_planes(DType dtype, const void* const* pixels, std::size_t count, const Chain& chain,
                     std::int8_t* destination) {
  HWY_DYNAMIC_DISPATCH(planes)(dtype, pixels, count, chain, destination);
}

void quantize_interleaved(DType dtype, const void* pixels, std::size_t elements, const TiledAffine* steps,
                          std::size_t step_count, std::size_t channels, std::int8_t* destination) {
  HWY_DYNAMIC_DISPATCH(interleaved)(dtype, pixels, elements, steps, step_count, channels, destination);
}

void quantize_halved(DType dtype, const void* pixels, std::ptrdiff_t row_stride_bytes, std::size_t height,
                     std::size_t width, const Chain& chain, std::int8_t* destination) {
  HWY_DYNAMIC_DISPATCH(halved)(dtype, pixels, row_stride_bytes, height, width, chain, destination);
}

void map_row(float* row, std::size_t count, const Chain& chain, std::size_t channel) {
  HWY_DYNAMIC_DISPATCH(map)(row, count, chain, channel);
}

}  // namespace nerone::kernels
#endif
