#pragma once

#include <memory>

#include "softdpu/step_kernel.hpp"

// Ops that bring integers to other places, requantizing them on the way.
namespace nerone::softdpu::portable {

std::unique_ptr<StepKernel> make_concat(const Concat& concat);
std::unique_ptr<StepKernel> make_downsample(const Downsample& downsample);
std::unique_ptr<StepKernel> make_tile(const Tile& tile);
// Null for BILINEAR.
std::unique_ptr<StepKernel> make_upsample(const Upsample& upsample);

}  // namespace nerone::softdpu::portable
