#pragma once

// From a convolution's accumulator to its output byte, exactly.
//
// With S = sum(x * w), B = floor(2 b 2^shift_bias), c = shift_cut the DPU computes
//   y = clamp(act(floor((2 S + B + 2^c) / 2^(c + 1)))).
// For c >= 0 and T = B + 2^c: floor((2 S + T) / 2^(c + 1)) = floor((S + floor(T / 2)) / 2^c), since 2 S is even and
// 2^c is an integer. So the half bit of B and the rounding fold into one integer bias. The stored byte is y + 128;
// 128 * 2^c is folded too. (What the flipped input adds, 128 * sum(w), is taken away where weights are packed.)
// For c < 0 the half bit r = B mod 2 is kept apart: y = clamp((2 X + r) * 2^(-c - 1)), X = S + floor(B / 2).

#include <cstdint>
#include <optional>
#include <vector>

#include "softdpu/ops/conv.hpp"

namespace nerone::softdpu::jit {

struct Requantize {
  enum class Kind {
    right,  // byte = clamp(accumulator >> shift, 0, 255)
    left,   // c < 0: shift is -c - 1
    leaky   // LEAKYRELU, c >= 0: the accumulator is X; shift is c
  };
  Kind kind = Kind::right;
  int shift = 0;
  std::uint8_t low = 0, high = 255;  // bounds of the stored byte, from the activation

  bool needs_half_bits() const { return kind != Kind::right; }
};

// What a kernel needs of one convolution's arithmetic.
struct Requantization {
  Requantize rule;
  std::vector<std::int32_t> bias;       // per output channel, in the accumulator's unit
  std::vector<std::int32_t> half_bits;  // r per output channel; empty where the rule does not need them
};

// Nothing where the arithmetic needs more than 32 bits, or has an activation that no rule covers.
std::optional<Requantization> requantization_of(const Conv& conv);

}  // namespace nerone::softdpu::jit
