#include "kernels/dispatch.hpp"
#include "kernels/resize/combine.hpp"
#include "kernels/scalar.hpp"

namespace nerone::kernels::scalar {

void combine_rows(DType dtype, const void* const* rows, const float* weights, std::size_t taps, float constant,
                  std::size_t count, float* out) {
  for_pixel_type(dtype, [&](auto type) {
    using T = decltype(type);
    for (std::size_t i = 0; i < count; ++i) {
      float sum = enter(static_cast<const T*>(rows[0])[i]) * weights[0];
      for (std::size_t k = 1; k < taps; ++k) sum = sum + enter(static_cast<const T*>(rows[k])[i]) * weights[k];
      out[i] = constant == 0.0F ? sum : sum + constant;
    }
  });
}

void combine_columns(const float* row, const std::int32_t* first, const float* weights, std::size_t stride,
                     std::size_t taps, const float* constants, std::size_t count, float* out) {
  for (std::size_t x = 0; x < count; ++x) {
    const float* from = row + first[x];
    float sum = from[0] * weights[x];
    for (std::size_t k = 1; k < taps; ++k) sum = sum + from[k] * weights[k * stride + x];
    out[x] = constants == nullptr ? sum : sum + constants[x];
  }
}

}  // namespace nerone::kernels::scalar
