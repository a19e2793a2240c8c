#include "softdpu/ops/eltwise.hpp"

#include <algorithm>
#include <limits>

#include "softdpu/attributes.hpp"

namespace nerone::softdpu {

namespace {

// Sums and products of this many int8 stay exact in 64 bits.
constexpr std::size_t max_factors = 7;
constexpr std::size_t max_terms = 4096;

// The input's step in elements along each output axis, 0 where it is repeated.
Shape broadcast_strides(const xmodel::Op& op, const Value& input, const Shape& output) {
  Shape strides(output.size(), 0);
  if (input.shape.size() > output.size()) {
    refuse(op, "input '" + input.name + "' has more axes than the output");
  }
  std::int64_t step = 1;
  const auto missing = output.size() - input.shape.size();
  for (std::size_t axis = output.size(); axis-- > missing;) {
    const auto extent = input.shape[axis - missing];
    if (extent != output[axis] && extent != 1) {
      refuse(op, "input '" + input.name + "' of shape " + to_string(input.shape) + " does not broadcast to " +
                     to_string(output));
    }
    strides[axis] = extent == 1 ? 0 : step;
    step *= extent;
  }
  return strides;
}

void check_output_shape(const xmodel::Op& op, const std::vector<const Value*>& inputs, const Value& output) {
  Shape expected;
  for (const auto* input : inputs) {
    if (input->shape.size() > expected.size()) {
      expected.insert(expected.begin(), input->shape.size() - expected.size(), 1);
    }
    const auto missing = expected.size() - input->shape.size();
    for (std::size_t axis = 0; axis < input->shape.size(); ++axis) {
      auto& extent = expected[missing + axis];
      extent = extent == 1 ? input->shape[axis] : extent;
    }
  }
  require_shape(op, output, expected);
}

void read_add(Eltwise& eltwise, const std::vector<const Value*>& inputs, int output_fix_point) {
  int lowest = std::numeric_limits<int>::max();
  for (const auto* input : inputs) lowest = std::min(lowest, input->fix_point);
  for (const auto* input : inputs) eltwise.input_shifts.push_back(input->fix_point - lowest);
  eltwise.shift = 2 - (output_fix_point - lowest);
}

void read_multiply(const xmodel::Op& op, Eltwise& eltwise, const std::vector<const Value*>& inputs,
                   int output_fix_point) {
  eltwise.kind = Eltwise::Kind::multiply;
  if (inputs.size() > max_factors) {
    refuse(op, std::to_string(inputs.size()) + " factors are not supported, expected at most " +
                   std::to_string(max_factors));
  }
  eltwise.shift = -output_fix_point;
  for (const auto* input : inputs) eltwise.shift += input->fix_point;
}

}  // namespace

Eltwise parse_eltwise(const xmodel::Op& op, const std::vector<const Value*>& inputs, const Value& output) {
  Eltwise eltwise;
  if (inputs.size() > max_terms) refuse(op, "too many inputs");
  check_output_shape(op, inputs, output);
  eltwise.output_shape = output.shape;
  for (const auto* input : inputs) {
    eltwise.input_strides.push_back(broadcast_strides(op, *input, output.shape));
    eltwise.broadcasts = eltwise.broadcasts || input->shape != output.shape;
  }
  const auto type = string_attr(op, "type", "");
  if (type == "ADD") {
    read_add(eltwise, inputs, output.fix_point);
  } else if (type == "MUL") {
    read_multiply(op, eltwise, inputs, output.fix_point);
  } else {
    refuse(op, "type '" + type + "' is not supported, expected ADD or MUL");
  }
  eltwise.activation = Activation::parse(op, output.fix_point);
  return eltwise;
}

std::int64_t Eltwise::element_count() const {
  std::int64_t count = 1;
  for (const auto extent : output_shape) count *= extent;
  return count;
}

namespace {

std::int64_t combine(const Eltwise& eltwise, const void* const* inputs, std::int64_t element) {
  const bool is_add = eltwise.kind == Eltwise::Kind::add;
  std::int64_t result = is_add ? 0 : 1;
  for (std::size_t i = 0; i < eltwise.input_strides.size(); ++i) {
    std::int64_t offset = 0;
    auto rest = element;
    for (std::size_t axis = eltwise.output_shape.size(); axis-- > 0;) {
      offset += rest % eltwise.output_shape[axis] * eltwise.input_strides[i][axis];
      rest /= eltwise.output_shape[axis];
    }
    const std::int64_t x = static_cast<const std::int8_t*>(inputs[i])[offset];
    result = is_add ? result + shift_floor(4 * x, -eltwise.input_shifts[i]) : result * x;
  }
  return result;
}

}  // namespace

void run_scalar(const Eltwise& eltwise, const void* const* inputs, std::int8_t* output) {
  const auto count = eltwise.element_count();
  for (std::int64_t element = 0; element < count; ++element) {
    output[element] = activate_and_round(eltwise.activation, combine(eltwise, inputs, element), eltwise.shift);
  }
}

}  // namespace nerone::softdpu
