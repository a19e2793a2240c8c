#include <cmath>

#include "kernels/dequantize/dequantize.hpp"

namespace nerone::kernels::scalar {

void dequantize(const std::int8_t* values, std::size_t count, int fix_point, float* out) {
  const float scale = std::ldexp(1.0F, -fix_point);
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(values[i]) * scale;
}

}  // namespace nerone::kernels::scalar
