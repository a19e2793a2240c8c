#pragma once

#include <memory>

#include "softdpu/step_kernel.hpp"

namespace nerone::softdpu::portable {

// Null where 32-bit sums could overflow, or the activation or shape has no fast loop: the reference runs then.
std::unique_ptr<StepKernel> make_conv(const Conv& conv);

}  // namespace nerone::softdpu::portable
