#pragma once

#include <memory>

#include "softdpu/step_kernel.hpp"

namespace nerone::softdpu::portable {

// Null for broadcasting of anything but one value per channel, and where 32 bits do not hold the result.
std::unique_ptr<StepKernel> make_eltwise(const Eltwise& eltwise);

}  // namespace nerone::softdpu::portable
