#include "softdpu/ops/copy.hpp"

#include <cstring>

#include "softdpu/attributes.hpp"

namespace nerone::softdpu {

Copy parse_copy(const xmodel::Op& op, const Value& input, const Value& output) {
  if (input.element_count() != output.element_count()) {
    refuse(op, "shape " + to_string(input.shape) + " cannot become " + to_string(output.shape));
  }
  if (input.dtype != output.dtype) {
    refuse(op, std::string("data type ") + name_of(input.dtype) + " cannot become " + name_of(output.dtype));
  }
  if (input.dtype == DType::int8 && input.fix_point != output.fix_point) {
    refuse(op, "fix point " + std::to_string(input.fix_point) + " cannot become " + std::to_string(output.fix_point) +
                   " in a copy");
  }
  return {input.size_bytes()};
}

void run_scalar(const Copy& copy, const void* input, void* output) { std::memcpy(output, input, copy.size_bytes); }

}  // namespace nerone::softdpu
