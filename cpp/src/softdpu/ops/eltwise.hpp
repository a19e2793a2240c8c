#pragma once

// eltwise-fix, any number of inputs, numpy broadcasting.
//   ADD: m = min(fi), S = sum of floor(4 * x_i / 2^(fi - m)), y = R(act(S * 2^(fo - m) / 4))
//   MUL: y = R(act(product of x_i * 2^(fo - sum of fi)))

#include <vector>

#include "softdpu/activation.hpp"
#include "softdpu/value.hpp"

namespace nerone::softdpu {

struct Eltwise {
  enum class Kind { add, multiply };

  Kind kind = Kind::add;
  Shape output_shape;
  std::vector<Shape> input_strides;  // in elements, per input and output axis; 0 where the input is broadcast
  std::vector<int> input_shifts;     // fi - m of ADD
  int shift = 0;                     // y = R(act(S or product / 2^shift))
  Activation activation;
  bool broadcasts = false;  // otherwise all inputs have the output's shape

  std::int64_t element_count() const;
};

Eltwise parse_eltwise(const xmodel::Op& op, const std::vector<const Value*>& inputs, const Value& output);
void run_scalar(const Eltwise& eltwise, const void* const* inputs, std::int8_t* output);

}  // namespace nerone::softdpu
