#pragma once

// Exact fixed-point steps in 64-bit integers, defined for every shift.

#include <algorithm>
#include <cstdint>

namespace nerone::softdpu {

inline std::int8_t saturate_int8(std::int64_t value) {
  return static_cast<std::int8_t>(std::clamp<std::int64_t>(value, -128, 127));
}

// Bound of a saturated intermediate, far outside the reach of any tensor that fits into memory.
inline constexpr std::int64_t fixed_limit = std::int64_t{1} << 60;

// floor(value * 2^shift), saturated to +-fixed_limit where it does not fit.
inline std::int64_t shift_floor(std::int64_t value, int shift) {
  if (shift < 0) return value >> std::min(-static_cast<std::int64_t>(shift), std::int64_t{63});
  if (value == 0) return 0;
  if (shift >= 60 || value > (fixed_limit >> shift) || value < -(fixed_limit >> shift)) {
    return value > 0 ? fixed_limit : -fixed_limit;
  }
  return value * (std::int64_t{1} << shift);
}

// R(value / 2^shift) = clamp(floor(value / 2^shift + 0.5), -128, 127), for |value| <= fixed_limit.
inline std::int8_t round_shift(std::int64_t value, int shift) {
  if (shift <= 0) return saturate_int8(shift_floor(value, shift < -60 ? 60 : -shift));
  if (shift > 61) return 0;
  return saturate_int8((value + (std::int64_t{1} << (shift - 1))) >> shift);
}

}  // namespace nerone::softdpu
