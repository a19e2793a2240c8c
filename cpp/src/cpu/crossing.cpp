// Between float and fixed: q = clamp(round(x * 2^fix_point)), as AMD's reference runner computes it.
// `fix` writes q * 2^-fix_point in float, `float2fix` writes q, `fix2float` writes q * 2^-fix_point.
// NaN becomes 0, infinity the nearest end of the range.

#include <algorithm>
#include <cmath>

#include "cpu/node.hpp"

namespace nerone::cpu {

namespace {

struct Quantizer {
  double scale, low, high;
  double (*round)(double);

  double operator()(float x) const {
    if (std::isnan(x)) return 0.0;
    return std::min(std::max(round(static_cast<double>(x) * scale), low), high);
  }
};

double half_up(double x) { return std::floor(x + 0.5); }
double half_away_from_zero(double x) { return std::round(x); }
// The default rounding mode of the processor.
double half_to_even(double x) { return std::nearbyint(x); }

int fix_point_of(const Node& node) {
  const auto fix_point = node.integer("fix_point");
  if (fix_point < -64 || fix_point > 64) node.refuse("fix_point " + std::to_string(fix_point) + " is out of range");
  return static_cast<int>(fix_point);
}

Quantizer quantizer_of(const Node& node) {
  const auto bits = node.integer_or("bit_width", 8);
  if (bits < 1 || bits > 32) node.refuse("bit_width " + std::to_string(bits) + ", expected 1 to 32");
  const bool is_signed = node.flag_or("if_signed", true);
  const auto steps = std::ldexp(1.0, static_cast<int>(is_signed ? bits - 1 : bits));
  Quantizer quantizer{std::ldexp(1.0, fix_point_of(node)), is_signed ? -steps : 0.0, steps - 1, half_up};
  const auto mode = node.text_or("round_mode", "DPU_ROUND");
  if (mode == "STD_ROUND") {
    quantizer.round = half_away_from_zero;
  } else if (mode == "PY3_ROUND") {
    quantizer.round = half_to_even;
  } else if (mode != "DPU_ROUND") {
    node.refuse("round_mode '" + mode + "', expected DPU_ROUND, STD_ROUND or PY3_ROUND");
  }
  return quantizer;
}

template <typename From, typename To, typename Function>
Kernel map_values(const Node& node, Function function) {
  const auto count = element_count(node.input().shape);
  node.require_output_count(count);
  return [count, function, from = node.position("input")](const void* const* inputs, void* output) {
    const auto* x = static_cast<const From*>(inputs[from]);
    auto* y = static_cast<To*>(output);
    for (std::int64_t i = 0; i < count; ++i) y[i] = static_cast<To>(function(x[i]));
  };
}

Kernel make_fix(const Node& node) {
  node.require_float();
  return map_values<float, float>(node,
                                  [quantizer = quantizer_of(node)](float x) { return quantizer(x) / quantizer.scale; });
}

template <typename To>
Kernel make_quantizing(const Node& node) {
  const auto quantizer = quantizer_of(node);
  if (quantizer.low < static_cast<double>(std::numeric_limits<To>::min()) ||
      quantizer.high > static_cast<double>(std::numeric_limits<To>::max())) {
    node.refuse("bit_width and sign do not fit its output, which is " + std::string(name_of(node.output.dtype)));
  }
  return map_values<float, To>(node, quantizer);
}

Kernel make_float2fix(const Node& node) {
  if (node.input().dtype != DType::float32)
    node.refuse("reads " + std::string(name_of(node.input().dtype)) + ", not float32");
  switch (node.output.dtype) {
    case DType::int8:
      return make_quantizing<std::int8_t>(node);
    case DType::uint8:
      return make_quantizing<std::uint8_t>(node);
    case DType::int16:
      return make_quantizing<std::int16_t>(node);
    case DType::uint16:
      return make_quantizing<std::uint16_t>(node);
    case DType::int32:
      return make_quantizing<std::int32_t>(node);
    default:
      node.refuse(std::string("writes ") + name_of(node.output.dtype) + ", expected an integer of 8 to 32 bits");
  }
}

template <typename From>
Kernel make_dequantizing(const Node& node) {
  const double step = std::ldexp(1.0, -fix_point_of(node));
  return map_values<From, float>(node, [step](From x) { return static_cast<double>(x) * step; });
}

Kernel make_fix2float(const Node& node) {
  if (node.output.dtype != DType::float32)
    node.refuse(std::string("writes ") + name_of(node.output.dtype) + ", not float32");
  switch (node.input().dtype) {
    case DType::int8:
      return make_dequantizing<std::int8_t>(node);
    case DType::uint8:
      return make_dequantizing<std::uint8_t>(node);
    case DType::int16:
      return make_dequantizing<std::int16_t>(node);
    case DType::uint16:
      return make_dequantizing<std::uint16_t>(node);
    case DType::int32:
      return make_dequantizing<std::int32_t>(node);
    default:
      node.refuse(std::string("reads ") + name_of(node.input().dtype) + ", expected an integer of 8 to 32 bits");
  }
}

}  // namespace

Kernels crossing_kernels() { return {{"fix", make_fix}, {"float2fix", make_float2fix}, {"fix2float", make_fix2float}}; }

}  // namespace nerone::cpu
