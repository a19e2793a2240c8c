#pragma once

#include <algorithm>
#include <cstdint>
#include <nerone/xmodel.hpp>
#include <string>

#include "softdpu/fixed.hpp"

namespace nerone::softdpu {

// The `nonlinear` of a convolution or an element-wise op. It acts on the exact value, before rounding.
struct Activation {
  enum class Kind { none, relu, relu6, leaky_relu, hard_sigmoid, hard_swish };

  Kind kind = Kind::none;
  bool clip_at_96 = false;  // RELU6 with an output fix point of at most 4
  int hsigmoid_in = 0, shift_hsigmoid = 0, shift_hswish = 0;

  // Reads `nonlinear` and its parameters. ModelError for one that the DPU's arithmetic is not known of.
  static Activation parse(const std::string& op_name, const xmodel::Attrs& attrs, int output_fix_point);
};

// y = R(min(2^32, max(0, 2731 t + 3 * 2731 * 2^hsigmoid_in)) / 2^shift_hsigmoid)
std::int8_t hard_sigmoid(std::int64_t t, int hsigmoid_in, int shift_hsigmoid);

// y = R(act(numerator / 2^shift)), exact for |numerator| < 2^53. LEAKYRELU multiplies negative values by 26/256.
std::int8_t activate_and_round(const Activation& activation, std::int64_t numerator, int shift);

}  // namespace nerone::softdpu
