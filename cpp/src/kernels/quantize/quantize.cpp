#include "kernels/quantize/quantize.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize/quantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/dispatch.hpp"
#include "kernels/scalar.hpp"
#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nerone::kernels::HWY_NAMESPACE {

template <typename T, std::size_t Channels>
std::size_t planes_of(const void* const* planes, std::size_t count, const Chain& chain, Floats scale,
                      std::int8_t* HWY_RESTRICT destination) {
  const FloatTag d;
  const ByteTag d8;
  std::size_t i = 0;
  for (; i + block <= count; i += block) {
    const auto bytes = [&](std::size_t c) HWY_ATTR {
      const T* pixels = static_cast<const T*>(planes[c]) + i;
      return quantize_block(
          d, scale, [&](std::size_t p) HWY_ATTR { return apply(d, chain, c, load_pixels(d, pixels + p * lanes)); });
    };
    std::int8_t* to = destination + i * Channels;
    if constexpr (Channels == 1) {
      hn::StoreU(bytes(0), d8, to);
    } else if constexpr (Channels == 2) {
      hn::StoreInterleaved2(bytes(0), bytes(1), d8, to);
    } else if constexpr (Channels == 3) {
      hn::StoreInterleaved3(bytes(0), bytes(1), bytes(2), d8, to);
    } else {
      hn::StoreInterleaved4(bytes(0), bytes(1), bytes(2), bytes(3), d8, to);
    }
  }
  return i;
}

template <typename T>
std::size_t planes_of_any(const void* const* planes, std::size_t count, const Chain& chain, Floats scale,
                          std::int8_t* HWY_RESTRICT destination) {
  const FloatTag d;
  HWY_ALIGN std::int8_t bytes[block];
  std::size_t i = 0;
  for (; i + block <= count; i += block) {
    for (std::size_t c = 0; c < chain.channels; ++c) {
      const T* pixels = static_cast<const T*>(planes[c]) + i;
      const auto part = [&](std::size_t p) HWY_ATTR { return apply(d, chain, c, load_pixels(d, pixels + p * lanes)); };
      hn::StoreU(quantize_block(d, scale, part), ByteTag(), bytes);
      for (std::size_t p = 0; p < block; ++p) destination[(i + p) * chain.channels + c] = bytes[p];
    }
  }
  return i;
}

template <typename T>
void planes_typed(const void* const* planes, std::size_t count, const Chain& chain, int fix_point,
                  std::int8_t* HWY_RESTRICT destination) {
  const float scale = std::ldexp(1.0F, fix_point);
  const auto vector_scale = hn::Set(FloatTag(), scale);
  std::size_t i = 0;
  switch (chain.channels) {
    case 1:
      i = planes_of<T, 1>(planes, count, chain, vector_scale, destination);
      break;
    case 2:
      i = planes_of<T, 2>(planes, count, chain, vector_scale, destination);
      break;
    case 3:
      i = planes_of<T, 3>(planes, count, chain, vector_scale, destination);
      break;
    case 4:
      i = planes_of<T, 4>(planes, count, chain, vector_scale, destination);
      break;
    default:
      i = planes_of_any<T>(planes, count, chain, vector_scale, destination);
  }
  for (; i < count; ++i) {
    for (std::size_t c = 0; c < chain.channels; ++c) {
      const float x = scalar::enter(static_cast<const T*>(planes[c])[i]);
      destination[i * chain.channels + c] = scalar::quantize(scalar::apply(chain, c, x), scale);
    }
  }
}

void planes(DType dtype, const void* const* pixels, std::size_t count, const Chain& chain, int fix_point,
            std::int8_t* destination) {
  for_pixel_type(dtype, [&](auto type) { planes_typed<decltype(type)>(pixels, count, chain, fix_point, destination); });
}

template <typename T>
void interleaved_typed(const T* HWY_RESTRICT pixels, std::size_t elements, const TiledAffine* steps,
                       std::size_t step_count, std::size_t channels, int fix_point,
                       std::int8_t* HWY_RESTRICT destination) {
  const FloatTag d;
  const float scale = std::ldexp(1.0F, fix_point);
  const auto vector_scale = hn::Set(d, scale);
  const std::size_t tile = block * channels;
  std::size_t e = 0;
  std::size_t in_tile = 0;
  for (; e + block <= elements; e += block) {
    const auto part = [&](std::size_t p) HWY_ATTR {
      auto x = load_pixels(d, pixels + e + p * lanes);
      for (std::size_t s = 0; s < step_count; ++s) {
        const std::size_t at = in_tile + p * lanes;
        const auto clamped = hn::Min(hn::Max(x, hn::LoadU(d, steps[s].low + at)), hn::LoadU(d, steps[s].high + at));
        const auto y = hn::Add(hn::Mul(clamped, hn::LoadU(d, steps[s].scale + at)), hn::LoadU(d, steps[s].offset + at));
        x = steps[s].keep_zero ? hn::IfThenZeroElse(hn::Eq(x, hn::Zero(d)), y) : y;
      }
      return x;
    };
    hn::StoreU(quantize_block(d, vector_scale, part), ByteTag(), destination + e);
    in_tile = in_tile + block == tile ? 0 : in_tile + block;
  }
  for (; e < elements; ++e, ++in_tile) {
    float x = scalar::enter(pixels[e]);
    for (std::size_t s = 0; s < step_count; ++s) {
      const TiledAffine& t = steps[s];
      x = scalar::apply(Affine{t.low[in_tile], t.high[in_tile], t.scale[in_tile], t.offset[in_tile], t.keep_zero}, x);
    }
    destination[e] = scalar::quantize(x, scale);
  }
}

void interleaved(DType dtype, const void* pixels, std::size_t elements, const TiledAffine* steps,
                 std::size_t step_count, std::size_t channels, int fix_point, std::int8_t* destination) {
  for_pixel_type(dtype, [&](auto type) {
    using T = decltype(type);
    interleaved_typed(static_cast<const T*>(pixels), elements, steps, step_count, channels, fix_point, destination);
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
HWY_EXPORT(map);

void quantize_planes(DType dtype, const void* const* pixels, std::size_t count, const Chain& chain, int fix_point,
                     std::int8_t* destination) {
  HWY_DYNAMIC_DISPATCH(planes)(dtype, pixels, count, chain, fix_point, destination);
}

void quantize_interleaved(DType dtype, const void* pixels, std::size_t elements, const TiledAffine* steps,
                          std::size_t step_count, std::size_t channels, int fix_point, std::int8_t* destination) {
  HWY_DYNAMIC_DISPATCH(interleaved)(dtype, pixels, elements, steps, step_count, channels, fix_point, destination);
}

void map_row(float* row, std::size_t count, const Chain& chain, std::size_t channel) {
  HWY_DYNAMIC_DISPATCH(map)(row, count, chain, channel);
}

}  // namespace nerone::kernels
#endif
