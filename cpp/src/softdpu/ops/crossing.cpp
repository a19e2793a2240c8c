#include "softdpu/ops/crossing.hpp"

#include <algorithm>
#include <cmath>

#include "softdpu/attributes.hpp"

namespace nerone::softdpu {

namespace {

RoundMode round_mode_of(const xmodel::Op& op) {
  const auto mode = string_attr(op, "round_mode", "DPU_ROUND");
  if (mode == "STD_ROUND") return RoundMode::half_away;
  if (mode == "DPU_ROUND") return RoundMode::half_up;
  if (mode == "PY3_ROUND") return RoundMode::half_even;
  refuse(op, "round_mode '" + mode + "' is not supported, expected DPU_ROUND, STD_ROUND or PY3_ROUND");
}

void check_format(const xmodel::Op& op) {
  if (int_attr(op, "bit_width", 8) != 8 || !bool_attr(op, "if_signed", true)) {
    refuse(op, "only signed 8-bit fixed point is supported");
  }
}

// The op's own fix point decides; the int8 side's must agree.
int fix_point_of(const xmodel::Op& op, const Value& fixed) {
  const int fix_point = int_attr(op, "fix_point", fixed.fix_point);
  if (fixed.dtype == DType::int8 && fix_point != fixed.fix_point) {
    refuse(op, "attribute 'fix_point' is " + std::to_string(fix_point) + ", its int8 tensor's is " +
                   std::to_string(fixed.fix_point));
  }
  if (fix_point < -128 || fix_point > 127) refuse(op, "fix point " + std::to_string(fix_point) + " is out of range");
  return fix_point;
}

void require_dtype(const xmodel::Op& op, const Value& value, DType dtype) {
  if (value.dtype != dtype) {
    refuse(op, "tensor '" + value.name + "' is " + name_of(value.dtype) + ", expected " + name_of(dtype));
  }
}

}  // namespace

Quantize parse_quantize(const xmodel::Op& op, const Value& input, const Value& output) {
  check_format(op);
  require_dtype(op, input, DType::float32);
  require_shape(op, output, input.shape);
  Quantize quantize;
  quantize.to_float = op.type == "fix";
  require_dtype(op, output, quantize.to_float ? DType::float32 : DType::int8);
  quantize.round_mode = round_mode_of(op);
  quantize.fix_point = fix_point_of(op, output);
  quantize.element_count = input.element_count();
  return quantize;
}

Dequantize parse_dequantize(const xmodel::Op& op, const Value& input, const Value& output) {
  check_format(op);
  require_dtype(op, input, DType::int8);
  require_dtype(op, output, DType::float32);
  require_shape(op, output, input.shape);
  return {fix_point_of(op, input), input.element_count()};
}

std::int8_t quantize(float value, int fix_point, RoundMode round_mode) {
  // In double, so that neither the scaling nor x + 0.5 rounds.
  const double scaled = std::ldexp(static_cast<double>(value), fix_point);
  if (std::isnan(scaled)) return 0;
  const double clipped = std::clamp(scaled, -1000.0, 1000.0);
  double rounded = 0;
  switch (round_mode) {
    case RoundMode::half_away:
      rounded = std::round(clipped);
      break;
    case RoundMode::half_up:
      rounded = std::floor(clipped + 0.5);
      break;
    case RoundMode::half_even:
      rounded = std::nearbyint(clipped);
      break;
  }
  return static_cast<std::int8_t>(std::clamp(rounded, -128.0, 127.0));
}

void run_scalar(const Quantize& op, const float* input, void* output) {
  for (std::int64_t i = 0; i < op.element_count; ++i) {
    const auto q = quantize(input[i], op.fix_point, op.round_mode);
    if (op.to_float) {
      static_cast<float*>(output)[i] = std::ldexp(static_cast<float>(q), -op.fix_point);
    } else {
      static_cast<std::int8_t*>(output)[i] = q;
    }
  }
}

void run_scalar(const Dequantize& op, const std::int8_t* input, float* output) {
  for (std::int64_t i = 0; i < op.element_count; ++i) {
    output[i] = std::ldexp(static_cast<float>(input[i]), -op.fix_point);
  }
}

}  // namespace nerone::softdpu
