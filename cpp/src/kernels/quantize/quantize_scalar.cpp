#include "kernels/dispatch.hpp"
#include "kernels/quantize/quantize.hpp"
#include "kernels/scalar.hpp"

namespace nerone::kernels::scalar {

void quantize_planes(DType dtype, const void* const* planes, std::size_t count, const Chain& chain,
                     std::int8_t* destination) {
  for_pixel_type(dtype, [&](auto type) {
    using T = decltype(type);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t c = 0; c < chain.channels; ++c) {
        const float x = enter(static_cast<const T*>(planes[c])[i]);
        destination[i * chain.channels + c] = quantize(apply(chain, c, x));
      }
    }
  });
}

void quantize_interleaved(DType dtype, const void* pixels, std::size_t elements, const TiledAffine* steps,
                          std::size_t step_count, std::size_t channels, std::int8_t* destination) {
  for_pixel_type(dtype, [&](auto type) {
    using T = decltype(type);
    for (std::size_t e = 0; e < elements; ++e) {
      float x = enter(static_cast<const T*>(pixels)[e]);
      const std::size_t c = e % channels;
      for (std::size_t s = 0; s < step_count; ++s) {
        const TiledAffine& t = steps[s];
        x = apply(Affine{t.low[c], t.high[c], t.scale[c], t.offset[c], t.keep_zero, t.clamps}, x);
      }
      destination[e] = quantize(x);
    }
  });
}

void quantize_halved(DType dtype, const void* pixels, std::ptrdiff_t row_stride_bytes, std::size_t height,
                     std::size_t width, const Chain& chain, std::int8_t* destination) {
  for_pixel_type(dtype, [&](auto type) {
    using T = decltype(type);
    const auto* row = static_cast<const char*>(pixels);
    for (std::size_t y = 0; y < height; ++y, row += 2 * row_stride_bytes, destination += width) {
      const auto* upper = reinterpret_cast<const T*>(row);
      const auto* lower = reinterpret_cast<const T*>(row + row_stride_bytes);
      for (std::size_t x = 0; x < width; ++x) {
        const float left = enter(upper[2 * x]) * 0.5F + enter(lower[2 * x]) * 0.5F;
        const float right = enter(upper[2 * x + 1]) * 0.5F + enter(lower[2 * x + 1]) * 0.5F;
        destination[x] = quantize(apply(chain, 0, left * 0.5F + right * 0.5F));
      }
    }
  });
}

void map_row(float* row, std::size_t count, const Chain& chain, std::size_t channel) {
  for (std::size_t i = 0; i < count; ++i) row[i] = apply(chain, channel, row[i]);
}

}  // namespace nerone::kernels::scalar
