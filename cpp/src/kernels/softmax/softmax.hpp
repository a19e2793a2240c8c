#pragma once

#include <cstddef>
#include <cstdint>

namespace nerone::kernels {

// exp(-d * 2^-fix_point) for d = 0 .. 255, as the float product of two factors: values[d] = coarse[d / 16] * fine[d %
// 16], each rounded to float from double. Vector code may take either form.
struct SoftmaxTable {
  explicit SoftmaxTable(int fix_point);
  float values[256];
  float coarse[16];
  float fine[16];
};

// Softmax over the channels of int8 values with a fix point, float32 after each operation:
//   e_c = table[max - values_c],  out_c = e_c * (1 / ((e_0 + e_1) + ...))
// values, out: pixels * channels, channels next to one another.
void softmax(const std::int8_t* values, std::size_t pixels, std::size_t channels, const SoftmaxTable& table,
             float* out);

namespace scalar {
void softmax(const std::int8_t* values, std::size_t pixels, std::size_t channels, const SoftmaxTable& table,
             float* out);
}  // namespace scalar

}  // namespace nerone::kernels
