#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "softdpu/engine.hpp"
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/task.hpp"
#include "softdpu/program.hpp"

namespace nerone::softdpu::jit {

// What the kernels for these instructions are called, and the other way round; nothing for others.
Kernels kernels_of(Isa isa);
std::optional<Isa> isa_of(Kernels kernels);

class JitEngine final : public Engine {
 public:
  // Checks nothing of the processor: is_supported(isa) says whether the plan may run here.
  // `threads` share the work on an image.
  JitEngine(Isa isa, const Program& program, const KernelMaker& make_kernel, int threads = 1);

  const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  Kernels kernels() const override { return kernels_; }
  std::unique_ptr<Context> make_context() const override;
  void run(Context& context, const void* const* inputs, void* const* outputs) const override;

  std::vector<StepInfo> steps() const override;
  void run_timed(Context& context, const void* const* inputs, void* const* outputs, double* seconds) const override;
  std::size_t arena_bytes() const override {
    return arena_bytes_ + static_cast<std::size_t>(threads_) * scratch_bytes_;
  }
  // The largest sum of what lives at the same time: tensors' buffers and the largest scratch memory.
  std::size_t live_bytes() const { return live_bytes_ + scratch_bytes_; }

 private:
  Kernels kernels_;
  int threads_ = 1;
  std::vector<TensorInfo> inputs_, outputs_;
  std::vector<Task> tasks_;
  std::size_t arena_bytes_ = 0, live_bytes_ = 0, scratch_bytes_ = 0, most_operands_ = 0;
};

// The engine, or null where the processor has not these instructions. `make_kernel` makes what runs on dense tensors.
std::shared_ptr<const Engine> make_jit_engine(Isa isa, const Program& program,
                                              const KernelMaker& make_kernel = make_portable_kernel, int threads = 1);

}  // namespace nerone::softdpu::jit
