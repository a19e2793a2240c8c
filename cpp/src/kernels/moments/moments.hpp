#pragma once

#include <cstddef>
#include <nerone/tensor.hpp>

namespace nerone::kernels {

// Sums over one channel, kept in sixteen running sums so that the order of additions is the same for every
// vector width: element i of a row of pixels is added to sum (i mod 16).
struct Moments {
  double sums[16] = {};
  double squares[16] = {};
  std::size_t nonzero = 0;
  std::size_t phase = 0;  // (elements seen so far) mod 16

  // Sum 0 first to sum 15, then the mean and the deviation of the population over `count` elements:
  // sqrt(max(0, (squares - sum * mean) / count)); both 0 where count is 0.
  void mean_deviation(std::size_t count, double& mean, double& deviation) const;
};

void add_moments(DType dtype, const void* pixels, std::size_t count, Moments& moments);

namespace scalar {
void add_moments(DType dtype, const void* pixels, std::size_t count, Moments& moments);
}  // namespace scalar

}  // namespace nerone::kernels
