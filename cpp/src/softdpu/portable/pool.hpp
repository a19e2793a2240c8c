#pragma once

#include <memory>

#include "softdpu/step_kernel.hpp"

namespace nerone::softdpu::portable {

// Null where 32-bit sums could overflow.
std::unique_ptr<StepKernel> make_pool(const Pool& pool);

}  // namespace nerone::softdpu::portable
