#include "kernels/dispatch.hpp"
#include "kernels/quantize/quantize.hpp"
#include "kernels/scalar.hpp"

namespace nerone::kernels::scalar {

void quantize_planes(DType dtype, const void* const* planes, std::size_t count, const Chain& chain, int fix_point,
                     std::int8_t* destination) {
  const float scale = std::ldexp(1.0F, fix_point);
  for_pixel_type(dtype, [&](auto type) {
    using T = decltype(type);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t c = 0; c < chain.channels; ++c) {
        const float x = enter(static_cast<const T*>(planes[c])[i]);
        destination[i * chain.channels + c] = quantize(apply(chain, c, x), scale);
      }
    }
  });
}

void quantize_interleaved(DType dtype, const void* pixels, std::size_t elements, const TiledAffine* steps,
                          std::size_t step_count, std::size_t channels, int fix_point, std::int8_t* destination) {
  const float scale = std::ldexp(1.0F, fix_point);
  for_pixel_type(dtype, [&](auto type) {
    using T = decltype(type);
    for (std::size_t e = 0; e < elements; ++e) {
      float x = enter(static_cast<const T*>(pixels)[e]);
      const std::size_t c = e % channels;
      for (std::size_t s = 0; s < step_count; ++s) {
        const TiledAffine& t = steps[s];
        x = apply(Affine{t.low[c], t.high[c], t.scale[c], t.offset[c], t.keep_zero}, x);
      }
      destination[e] = quantize(x, scale);
    }
  });
}

void map_row(float* row, std::size_t count, const Chain& chain, std::size_t channel) {
  for (std::size_t i = 0; i < count; ++i) row[i] = apply(chain, channel, row[i]);
}

}  // namespace nerone::kernels::scalar
