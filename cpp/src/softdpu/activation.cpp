#include "softdpu/activation.hpp"

#include "softdpu/attributes.hpp"

namespace nerone::softdpu {

namespace {

constexpr int unset = -128;  // what the vendor's compiler stores where a parameter does not apply

int required_shift(const xmodel::Op& op, const std::string& key) {
  const int value = int_attr(op, key, unset);
  if (value < -32 || value > 32) {
    refuse(op, "attribute '" + key + "' is " + std::to_string(value) + ", expected -32 to 32 with nonlinear " +
                   string_attr(op, "nonlinear", op.type));
  }
  return value;
}

}  // namespace

HardSigmoidShifts HardSigmoidShifts::parse(const xmodel::Op& op) {
  return {required_shift(op, "hsigmoid_in"), required_shift(op, "shift_hsigmoid")};
}

Activation Activation::parse(const xmodel::Op& op, int output_fix_point) {
  Activation activation;
  const auto nonlinear = string_attr(op, "nonlinear", "");
  if (nonlinear == "RELU") {
    activation.kind = Kind::relu;
  } else if (nonlinear == "RELU6") {
    activation.kind = Kind::relu6;
    activation.clip_at_96 = output_fix_point <= 4;
  } else if (nonlinear == "LEAKYRELU") {
    activation.kind = Kind::leaky_relu;
  } else if (nonlinear == "HSIGMOID" || nonlinear == "HSWISH") {
    activation.kind = nonlinear == "HSIGMOID" ? Kind::hard_sigmoid : Kind::hard_swish;
    activation.hard_sigmoid = HardSigmoidShifts::parse(op);
    if (activation.kind == Kind::hard_swish) activation.shift_hswish = required_shift(op, "shift_hswish");
  } else if (!nonlinear.empty() && nonlinear != "NONE") {
    refuse(op, "nonlinear '" + nonlinear +
                   "' is not supported; the software DPU knows NONE, RELU, RELU6, LEAKYRELU, HSIGMOID and HSWISH");
  }
  return activation;
}

std::int8_t hard_sigmoid(std::int64_t t, const HardSigmoidShifts& shifts) {
  // Everything is scaled by 2^-in where `in` is negative, so that no bit is lost.
  const int scale = std::max(0, -shifts.in);
  const auto offset = shift_floor(3 * 2731, std::max(0, shifts.in));
  const auto value = shift_floor(2731 * t, scale) + offset;
  const auto clipped = std::clamp<std::int64_t>(value, 0, shift_floor(1, 32 + std::min(scale, 27)));
  return round_shift(clipped, shifts.out + scale);
}

std::int8_t activate_and_round(const Activation& activation, std::int64_t numerator, int shift) {
  switch (activation.kind) {
    case Activation::Kind::none:
      return round_shift(numerator, shift);
    case Activation::Kind::relu:
      return std::max<std::int8_t>(0, round_shift(numerator, shift));
    case Activation::Kind::relu6: {
      const auto rounded = std::max<std::int8_t>(0, round_shift(numerator, shift));
      return activation.clip_at_96 ? std::min<std::int8_t>(96, rounded) : rounded;
    }
    case Activation::Kind::leaky_relu:
      return numerator < 0 ? round_shift(numerator * leaky_numerator, shift + 8) : round_shift(numerator, shift);
    case Activation::Kind::hard_sigmoid:
      return hard_sigmoid(round_shift(numerator, shift), activation.hard_sigmoid);
    case Activation::Kind::hard_swish: {
      const std::int64_t t = round_shift(numerator, shift);
      return round_shift(t * hard_sigmoid(t, activation.hard_sigmoid), activation.shift_hswish);
    }
  }
  return 0;
}

}  // namespace nerone::softdpu
