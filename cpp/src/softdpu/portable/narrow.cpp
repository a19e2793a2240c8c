#include "softdpu/portable/narrow.hpp"

#include <algorithm>

namespace nerone::softdpu::portable {

namespace {

// Negative values times 26 / 256. Those below -2^25 saturate where shift <= 14; the caller's bound excludes them else.
bool add_leak(Narrow& narrow, int shift, std::int64_t bound) {
  constexpr std::int32_t saturated = 1 << 25;
  if (shift > 22 || (shift > 14 && bound >= saturated)) return false;
  if (shift <= 0) {
    // 1280 * 26 / 256 is below -128 already.
    narrow.negative_limit = 1280;
    // 26 / 256 of one unit saturates from 2^11 on.
    narrow.negative_factor = leaky_numerator << std::min(-shift, 12);
    narrow.negative_right = 8;
  } else {
    narrow.negative_limit = saturated;
    narrow.negative_factor = leaky_numerator;
    narrow.negative_right = shift + 8;
  }
  narrow.negative_round = 1 << (narrow.negative_right - 1);
  return true;
}

}  // namespace

std::optional<Narrow> narrow(const Activation& activation, int shift, std::int64_t bound) {
  Narrow narrow;
  if (bound >= 1 << 30) return std::nullopt;
  if (shift <= 0) {
    narrow.limit = 128;
    narrow.factor = 1 << std::min(-shift, 8);
  } else {
    // |v| < 2^30 rounds to 0 when shifted by more than 30 bits.
    narrow.right = std::min(shift, 30);
    narrow.round = 1 << (narrow.right - 1);
    narrow.limit = shift > 30 ? 0 : (1 << 30) - 1;
  }
  switch (activation.kind) {
    case Activation::Kind::none:
      return narrow;
    case Activation::Kind::relu6:
    case Activation::Kind::relu:
      narrow.low = 0;
      narrow.high = activation.clip_at_96 ? 96 : 127;
      return narrow;
    case Activation::Kind::leaky_relu:
      if (!add_leak(narrow, shift, bound)) return std::nullopt;
      return narrow;
    case Activation::Kind::hard_sigmoid:
    case Activation::Kind::hard_swish:
      break;
  }
  return std::nullopt;
}

}  // namespace nerone::softdpu::portable
