#pragma once

#include <algorithm>
#include <cstddef>

namespace nerone::kernels {

struct Rank {
  std::size_t below;
  std::size_t above;
  double part;
};

inline Rank rank_of(double percent, std::size_t count) {
  const double position = percent / 100.0 * static_cast<double>(count - 1);
  const auto below = static_cast<std::size_t>(position);
  return {below, std::min(below + 1, count - 1), position - static_cast<double>(below)};
}

inline float between(float below, float above, double part) {
  const double low = below;
  return static_cast<float>(low + (static_cast<double>(above) - low) * part);
}

}  // namespace nerone::kernels
