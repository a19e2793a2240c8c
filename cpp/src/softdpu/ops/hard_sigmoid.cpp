#include "softdpu/ops/hard_sigmoid.hpp"

#include "softdpu/activation.hpp"

namespace nerone::softdpu {

HardSigmoid parse_hard_sigmoid(const xmodel::Op& op, const Value& input, const Value& output) {
  require_shape(op, output, input.shape);
  HardSigmoid result;
  const auto shifts = HardSigmoidShifts::parse(op);
  for (int x = -128; x < 128; ++x) result.table[static_cast<std::size_t>(x + 128)] = hard_sigmoid(x, shifts);
  result.element_count = input.element_count();
  return result;
}

void run_scalar(const HardSigmoid& op, const std::int8_t* input, std::int8_t* output) {
  for (std::int64_t i = 0; i < op.element_count; ++i) output[i] = op.table[static_cast<std::size_t>(input[i] + 128)];
}

}  // namespace nerone::softdpu
