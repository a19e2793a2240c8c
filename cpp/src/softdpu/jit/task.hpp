#pragma once

#include <functional>
#include <memory>

#include "softdpu/engine.hpp"
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/memory.hpp"
#include "softdpu/jit/never_negative.hpp"
#include "softdpu/step_kernel.hpp"

namespace nerone::softdpu::jit {

// One step of a plan, ready to run. Each of the threads that share an image calls run() with its share, and all of them
// begin together; a step that cannot be shared is run by the first one alone.
struct Task {
  StepInfo info;
  std::function<void(const Frame&)> run;
  std::function<void(const Frame&)> prepare;  // by one thread, before any runs; perhaps none
  bool is_shared = true;
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
