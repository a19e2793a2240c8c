#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "softdpu/jit/memory.hpp"

namespace nerone::softdpu::jit {

// One step of a plan, ready to run, and what a profile says of it.
struct Task {
  std::string name;    // the op's
  std::string kind;    // "conv 3x3", "max pool 2x2", "pack" ...
  std::string kernel;  // how it is computed
  std::int64_t macs = 0;
  std::int64_t bytes = 0;  // read and written, weights included
  std::function<void(const Frame&)> run;
  std::shared_ptr<const StepKernel>
      step_kernel;  // of a step without a kernel on packed tensors: needs state and scratch
};

// Makes the kernels of the steps that run on dense tensors.
using KernelMaker = std::function<std::unique_ptr<StepKernel>(const Operation&)>;

Task make_task(const TensorGraph& graph, const Memory& memory, const Node& node, const KernelMaker& make_kernel);

}  // namespace nerone::softdpu::jit
