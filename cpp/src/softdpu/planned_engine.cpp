#include "softdpu/planned_engine.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/aligned_buffer.hpp"
#include "softdpu/memory_plan.hpp"
#include "softdpu/step_info.hpp"

namespace nerone::softdpu {

namespace {

struct PlannedContext final : Context {
  AlignedBuffer arena, scratch;
  std::vector<std::unique_ptr<KernelState>> states;  // per step
  std::vector<const void*> step_inputs;              // of the step that runs
};

class PlannedEngine final : public Engine {
 public:
  PlannedEngine(std::shared_ptr<const Program> program, Kernels kernels, const KernelMaker& make_kernel)
      : program_(std::move(program)),
        kernels_(kernels),
        inputs_(program_->input_infos()),
        outputs_(program_->output_infos()),
        memory_(plan_memory(*program_)) {
    for (std::size_t i = 0; i < program_->steps.size(); ++i) {
      const auto& step = program_->steps[i];
      step_kernels_.push_back(memory_.skipped_steps[i] ? nullptr : make_kernel(step.operation));
      if (step_kernels_.back()) scratch_bytes_ = std::max(scratch_bytes_, step_kernels_.back()->scratch_bytes());
      most_inputs_ = std::max(most_inputs_, step.inputs.size());
    }
  }

  const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  Kernels kernels() const override { return kernels_; }

  std::unique_ptr<Context> make_context() const override {
    auto context = std::make_unique<PlannedContext>();
    context->arena = AlignedBuffer(memory_.arena_bytes);
    context->scratch = AlignedBuffer(scratch_bytes_);
    context->step_inputs.resize(most_inputs_);
    for (const auto& kernel : step_kernels_) context->states.push_back(kernel ? kernel->make_state() : nullptr);
    return context;
  }

  void run(Context& context, const void* const* inputs, void* const* outputs) const override {
    run_timed(context, inputs, outputs, nullptr);
  }

  std::vector<StepInfo> steps() const override {
    std::vector<StepInfo> infos;
    for (std::size_t i = 0; i < step_kernels_.size(); ++i) {
      if (step_kernels_[i]) infos.push_back(info_of(*program_, program_->steps[i], name_of(kernels_)));
    }
    return infos;
  }

  std::size_t arena_bytes() const override { return memory_.arena_bytes + scratch_bytes_; }

  void run_timed(Context& base, const void* const* inputs, void* const* outputs, double* seconds) const override {
    StopWatch watch(seconds);
    auto& context = static_cast<PlannedContext&>(base);
    for (std::size_t i = 0; i < step_kernels_.size(); ++i) {
      if (!step_kernels_[i]) continue;
      const auto& step = program_->steps[i];
      for (std::size_t k = 0; k < step.inputs.size(); ++k) {
        context.step_inputs[k] = readable(context, step.inputs[k], inputs, outputs);
      }
      step_kernels_[i]->run(context.states[i].get(), context.step_inputs.data(),
                            writable(context, step.output, outputs), context.scratch.data());
      watch.split();
    }
    for (const auto& copy : memory_.output_copies) {
      std::memcpy(outputs[copy.output], readable(context, copy.value, inputs, outputs),
                  program_->values[copy.value].size_bytes());
    }
  }

 private:
  void* writable(PlannedContext& context, std::size_t value, void* const* outputs) const {
    const auto& place = memory_.places[value];
    return place.kind == Place::Kind::output ? outputs[place.index] : context.arena.data() + place.offset;
  }

  const void* readable(PlannedContext& context, std::size_t value, const void* const* inputs,
                       void* const* outputs) const {
    const auto& place = memory_.places[value];
    if (place.kind == Place::Kind::input) return inputs[place.index];
    if (place.kind == Place::Kind::constant) return program_->values[place.index].constant->data();
    return writable(context, value, outputs);
  }

  std::shared_ptr<const Program> program_;
  Kernels kernels_;
  std::vector<TensorInfo> inputs_, outputs_;
  MemoryPlan memory_;
  std::vector<std::unique_ptr<StepKernel>> step_kernels_;  // per step; null for one that costs nothing
  std::size_t scratch_bytes_ = 0, most_inputs_ = 0;
};

}  // namespace

std::shared_ptr<const Engine> make_planned_engine(std::shared_ptr<const Program> program, Kernels kernels,
                                                  const KernelMaker& make_kernel) {
  return std::make_shared<PlannedEngine>(std::move(program), kernels, make_kernel);
}

}  // namespace nerone::softdpu
