#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "softdpu/program.hpp"

namespace nerone::softdpu {

// A kernel's state for each context, beside its scratch memory.
class KernelState {
 public:
  virtual ~KernelState() = default;
};

// One step made ready to run: weights packed, loops chosen. Immutable and shared by all contexts.
class StepKernel {
 public:
  virtual ~StepKernel() = default;

  // 64-byte aligned memory that run() may overwrite; its content does not survive to the next step.
  virtual std::size_t scratch_bytes() const { return 0; }
  virtual std::unique_ptr<KernelState> make_state() const { return nullptr; }
  // Buffers as Operation's reference takes them, at any alignment.
  virtual void run(KernelState* state, const void* const* inputs, void* output, void* scratch) const = 0;
};

using KernelMaker = std::function<std::unique_ptr<StepKernel>(const Operation&)>;

// Vectorised plain loops and Highway, exact for every operation; falls back to the reference where none is faster.
std::unique_ptr<StepKernel> make_portable_kernel(const Operation& operation);

}  // namespace nerone::softdpu
