#pragma once

// upload, download, reshape-fix and their kin: the same bytes under another name or shape.

#include <nerone/xmodel.hpp>

#include "softdpu/value.hpp"

namespace nerone::softdpu {

struct Copy {
  std::size_t size_bytes = 0;
};

// ModelError where the element count, the data type or the fix point changes.
Copy parse_copy(const xmodel::Op& op, const Value& input, const Value& output);
void run_scalar(const Copy& copy, const void* input, void* output);

}  // namespace nerone::softdpu
