#pragma once

#include <cstddef>
#include <cstdint>

namespace nerone::kernels {

// out[i] = values[i] * 2^-fix_point; exact. fix_point is -31 to 31.
void dequantize(const std::int8_t* values, std::size_t count, int fix_point, float* out);

namespace scalar {
void dequantize(const std::int8_t* values, std::size_t count, int fix_point, float* out);
}  // namespace scalar

}  // namespace nerone::kernels
