#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nerone/tensor.hpp>

#include "kernels/affine.hpp"

// The plain statement of what the vector code does, used by the references and for the ends of rows.
namespace nerone::kernels::scalar {

template <typename T>
float enter(T value) {
  return static_cast<float>(value);
}

template <>
inline float enter<float>(float value) {
  if (value != value) return 0.0F;
  return std::min(std::max(value, -value_limit), value_limit);
}

inline float apply(const Affine& affine, float x) {
  const float clamped = affine.clamps ? std::min(std::max(x, affine.low), affine.high) : x;
  const float y = clamped * affine.scale + affine.offset;
  return affine.keep_zero && x == 0.0F ? 0.0F : y;
}

inline float apply(const Chain& chain, std::size_t channel, float x) {
  for (std::size_t step = 0; step < chain.steps; ++step) x = apply(chain.affine[step * chain.channels + channel], x);
  return x;
}

// floor(x + 0.5), saturated; x may be infinite but no NaN.
inline std::int8_t quantize(float x) {
  return static_cast<std::int8_t>(std::min(std::max(std::floor(x + 0.5F), -128.0F), 127.0F));
}

}  // namespace nerone::kernels::scalar
