#include <algorithm>
#include <cmath>

#include "kernels/softmax/softmax.hpp"

namespace nerone::kernels {

SoftmaxTable::SoftmaxTable(int fix_point) {
  const auto power = [&](int d) {
    return static_cast<float>(std::exp(std::ldexp(-static_cast<double>(d), -fix_point)));
  };
  for (int d = 0; d < 16; ++d) {
    coarse[d] = power(16 * d);
    fine[d] = power(d);
  }
  for (int d = 0; d < 256; ++d) values[d] = coarse[d / 16] * fine[d % 16];
}

namespace scalar {

void softmax(const std::int8_t* values, std::size_t pixels, std::size_t channels, const SoftmaxTable& table,
             float* out) {
  for (std::size_t p = 0; p < pixels; ++p, values += channels, out += channels) {
    const int top = *std::max_element(values, values + channels);
    float sum = out[0] = table.values[top - values[0]];
    for (std::size_t c = 1; c < channels; ++c) {
      out[c] = table.values[top - values[c]];
      sum = sum + out[c];
    }
    const float inverse = 1.0F / sum;
    for (std::size_t c = 0; c < channels; ++c) out[c] = out[c] * inverse;
  }
}

}  // namespace scalar
}  // namespace nerone::kernels
