#pragma once

// Requantization in 32 bits for the vectorised loops.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "softdpu/activation.hpp"

namespace nerone::softdpu::portable {

// R(act(v / 2^shift)) as clamp((clamp(v) * 2^left + round) >> right, low, high).
struct Narrow {
  std::int32_t limit = 0;  // |v| is first held to this, so that neither step overflows
  std::int32_t factor = 1;
  std::int32_t round = 0;
  std::int32_t right = 0;
  std::int32_t low = -128, high = 127;

  std::int8_t operator()(std::int32_t v) const {
    const std::int32_t held = std::clamp(v, -limit, limit) * factor;
    return static_cast<std::int8_t>(std::clamp((held + round) >> right, low, high));
  }
};

// Nothing where the activation is not a clamp. Exact for |v| < 2^30.
inline std::optional<Narrow> narrow(const Activation& activation, int shift) {
  Narrow narrow;
  switch (activation.kind) {
    case Activation::Kind::none:
      break;
    case Activation::Kind::relu6:
      narrow.high = activation.clip_at_96 ? 96 : 127;
      [[fallthrough]];
    case Activation::Kind::relu:
      narrow.low = 0;
      break;
    default:
      return std::nullopt;
  }
  if (shift <= 0) {
    narrow.limit = 128;
    narrow.factor = 1 << std::min(-shift, 8);
  } else {
    // |v| < 2^30 rounds to 0 when shifted by more than 30 bits.
    narrow.right = std::min(shift, 30);
    narrow.round = 1 << (narrow.right - 1);
    narrow.limit = shift > 30 ? 0 : (1 << 30) - 1;
  }
  return narrow;
}

}  // namespace nerone::softdpu::portable
