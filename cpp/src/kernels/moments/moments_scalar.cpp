#include "kernels/dispatch.hpp"
#include "kernels/moments/moments.hpp"
#include "kernels/scalar.hpp"

namespace nerone::kernels {

void Moments::mean_deviation(std::size_t count, double& mean, double& deviation) const {
  mean = deviation = 0.0;
  if (count == 0) return;
  double sum = 0.0;
  double square = 0.0;
  for (std::size_t lane = 0; lane < 16; ++lane) {
    sum = sum + sums[lane];
    square = square + squares[lane];
  }
  const auto n = static_cast<double>(count);
  mean = sum / n;
  deviation = std::sqrt(std::max(0.0, (square - sum * mean) / n));
}

namespace scalar {

void add_moments(DType dtype, const void* pixels, std::size_t count, Moments& moments) {
  for_pixel_type(dtype, [&](auto type) {
    using T = decltype(type);
    for (std::size_t i = 0; i < count; ++i) {
      const auto x = static_cast<double>(enter(static_cast<const T*>(pixels)[i]));
      moments.sums[moments.phase] = moments.sums[moments.phase] + x;
      moments.squares[moments.phase] = moments.squares[moments.phase] + x * x;
      moments.nonzero += x != 0.0 ? 1 : 0;
      moments.phase = (moments.phase + 1) % 16;
    }
  });
}

}  // namespace scalar
}  // namespace nerone::kernels
