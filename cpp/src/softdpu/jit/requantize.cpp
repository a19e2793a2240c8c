#include "softdpu/jit/requantize.hpp"

#include <algorithm>
#include <limits>

#include "softdpu/fixed.hpp"

namespace nerone::softdpu::jit {
namespace {

// Beyond these a left shift saturates every value but 0, and 26 * A2 no longer fits 32 bits.
constexpr int max_left_shift = 8;
constexpr int max_leaky_shift = 12;
constexpr int max_right_shift = 22;
constexpr int sign_offset = 128;

std::optional<Requantize> rule_of(const Conv& conv) {
  using Activation = softdpu::Activation::Kind;
  Requantize rule;
  const auto kind = conv.activation.kind;
  if (kind == Activation::hard_sigmoid || kind == Activation::hard_swish) return std::nullopt;
  if (kind == Activation::relu || kind == Activation::relu6) rule.low = sign_offset;
  if (kind == Activation::relu6 && conv.activation.clip_at_96) rule.high = sign_offset + 96;
  if (conv.shift_cut > max_right_shift) return std::nullopt;
  rule.shift = conv.shift_cut;
  if (kind == Activation::leaky_relu) {
    if (conv.shift_cut < 0 || conv.shift_cut > max_leaky_shift) return std::nullopt;
    rule.kind = Requantize::Kind::leaky;
  } else if (conv.shift_cut < 0) {
    rule.kind = Requantize::Kind::left;
    rule.shift = std::min(-conv.shift_cut - 1, max_left_shift);
  }
  return rule;
}

}  // namespace

std::optional<Requantization> requantization_of(const Conv& conv) {
  const auto rule = rule_of(conv);
  if (!rule) return std::nullopt;
  Requantization result{*rule, {}, {}};
  // Flipped inputs reach 255, and the correction for the flip at most 128 times the same weights.
  const std::int64_t sums = 3 * conv.accumulator_bound();
  for (std::int64_t channel = 0; channel < conv.output.channels; ++channel) {
    const std::int64_t doubled = conv.doubled_bias(channel);
    std::int64_t bias = shift_floor(doubled, -1);
    if (rule->kind == Requantize::Kind::right) {
      const std::int64_t one = std::int64_t{1} << rule->shift;
      bias = shift_floor(doubled + one, -1) + sign_offset * one;
    } else {
      result.half_bits.push_back(static_cast<std::int32_t>(doubled & 1));
    }
    constexpr std::int64_t limit = std::numeric_limits<std::int32_t>::max();
    if (std::abs(bias) + sums > limit) return std::nullopt;
    result.bias.push_back(static_cast<std::int32_t>(bias));
  }
  return result;
}

}  // namespace nerone::softdpu::jit
