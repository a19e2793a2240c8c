#include "softdpu/ops/concat.hpp"

#include "softdpu/attributes.hpp"
#include "softdpu/fixed.hpp"

namespace nerone::softdpu {

namespace {

void check_input(const xmodel::Op& op, const Value& input, const Shape& output, std::size_t axis) {
  Shape expected = output;
  if (input.shape.size() == output.size()) expected[axis] = input.shape[axis];
  if (input.shape != expected) {
    refuse(op, "input '" + input.name + "' has shape " + to_string(input.shape) + ", which does not fit the output's " +
                   to_string(output) + " along axis " + std::to_string(axis));
  }
}

}  // namespace

Concat parse_concat(const xmodel::Op& op, const std::vector<const Value*>& inputs, const Value& output) {
  Concat concat;
  const int rank = static_cast<int>(output.shape.size());
  const int axis = int_attr(op, "axis", -1);
  if (axis < -rank || axis >= rank) {
    refuse(op, "axis " + std::to_string(axis) + " does not exist in shape " + to_string(output.shape));
  }
  concat.axis = axis < 0 ? axis + rank : axis;
  const auto position = static_cast<std::size_t>(concat.axis);
  std::int64_t inner = 1;
  for (std::size_t i = 0; i < output.shape.size(); ++i) (i < position ? concat.outer : inner) *= output.shape[i];
  inner /= output.shape[position];
  for (const auto* input : inputs) {
    check_input(op, *input, output.shape, position);
    concat.input_blocks.push_back(input->shape[position] * inner);
    concat.shifts.push_back(input->fix_point - output.fix_point);
    concat.output_block += concat.input_blocks.back();
  }
  if (concat.output_block != output.shape[position] * inner) {
    refuse(op, "the inputs' extents along axis " + std::to_string(axis) + " do not add up to the output's shape " +
                   to_string(output.shape));
  }
  return concat;
}

void run_scalar(const Concat& concat, const void* const* inputs, std::int8_t* output) {
  for (std::int64_t row = 0; row < concat.outer; ++row) {
    for (std::size_t i = 0; i < concat.input_blocks.size(); ++i) {
      const auto* input = static_cast<const std::int8_t*>(inputs[i]) + row * concat.input_blocks[i];
      for (std::int64_t k = 0; k < concat.input_blocks[i]; ++k) *output++ = round_shift(input[k], concat.shifts[i]);
    }
  }
}

}  // namespace nerone::softdpu
