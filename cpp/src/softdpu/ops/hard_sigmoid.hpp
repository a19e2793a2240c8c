#pragma once

// hard-sigmoid-fix: y = R(min(2^32, max(0, 2731 x + 3 * 2731 * 2^hsigmoid_in)) / 2^shift_hsigmoid).

#include <array>
#include <nerone/xmodel.hpp>

#include "softdpu/value.hpp"

namespace nerone::softdpu {

struct HardSigmoid {
  std::array<std::int8_t, 256> table{};  // the result for x at index x + 128
  std::int64_t element_count = 0;
};

HardSigmoid parse_hard_sigmoid(const xmodel::Op& op, const Value& input, const Value& output);
void run_scalar(const HardSigmoid& op, const std::int8_t* input, std::int8_t* output);

}  // namespace nerone::softdpu
