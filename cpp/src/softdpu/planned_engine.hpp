#pragma once

#include <memory>

#include "softdpu/engine.hpp"
#include "softdpu/program.hpp"
#include "softdpu/step_kernel.hpp"

namespace nerone::softdpu {

// Runs one kernel per step in one arena, whose places are reused as soon as a tensor is not read any more. Copies
// that only rename cost nothing; the callers' buffers are read and written where they lie.
std::shared_ptr<const Engine> make_planned_engine(std::shared_ptr<const Program> program, Kernels kernels,
                                                  const KernelMaker& make_kernel);

}  // namespace nerone::softdpu
