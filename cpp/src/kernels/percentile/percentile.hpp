#pragma once

#include <cstddef>
#include <nerone/tensor.hpp>

namespace nerone::kernels {

// Appends pixels as floats to `out`, without those equal to 0 where skip_zeros. Gives how many were appended.
// `out` needs room for count + 16 floats.
std::size_t collect(DType dtype, const void* pixels, std::size_t count, bool skip_zeros, float* out);

// The value at position percent / 100 * (count - 1) of the sorted values, linearly between neighbours, computed in
// double and rounded to float; 0 where count is 0. Values are finite. `scratch` needs room for count + 16 floats.
struct PercentilePair {
  float low;
  float high;
};
PercentilePair percentiles(const float* values, std::size_t count, double low_percent, double high_percent,
                           float* scratch);

namespace scalar {
std::size_t collect(DType dtype, const void* pixels, std::size_t count, bool skip_zeros, float* out);
// Sorts a copy.
PercentilePair percentiles(const float* values, std::size_t count, double low_percent, double high_percent,
                           float* scratch);
}  // namespace scalar

}  // namespace nerone::kernels
