#pragma once

#include <functional>
#include <memory>

#include "softdpu/engine.hpp"
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/memory.hpp"
#include "softdpu/jit/never_negative.hpp"
#include "softdpu/step_kernel.hpp"

namespace nerone::softdpu::jit {

// One step of a plan, ready to run.
struct Task {
  StepInfo info;
  std::function<void(const Frame&)> run;
  std::shared_ptr<const StepKernel>
      step_kernel;  // of a step without a kernel on packed tensors: needs state and scratch
  std::size_t scratch_bytes = 0;
};

struct PlanOptions {
  Isa isa;
  const KernelMaker& make_kernel;  // of the steps that run on dense tensors
  const NeverNegative& never_negative;
};

Task make_task(const TensorGraph& graph, const Memory& memory, const Node& node, const PlanOptions& options);

}  // namespace nerone::softdpu::jit
