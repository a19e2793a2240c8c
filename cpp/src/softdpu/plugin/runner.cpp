#include "softdpu/plugin/runner.hpp"

#include <algorithm>
#include <nerone/error.hpp>
#include <string>

#include "softdpu/plugin/host_conversion.hpp"

namespace nerone::softdpu {

namespace {

// The graph's own tensors in the engine's order.
std::vector<const xir::Tensor*> arrange(const std::vector<const xir::Tensor*>& tensors,
                                        const std::vector<TensorInfo>& order) {
  std::vector<const xir::Tensor*> arranged;
  for (const auto& info : order) {
    const auto found = std::find_if(tensors.begin(), tensors.end(),
                                    [&info](const auto* tensor) { return xmodel::name_of(tensor) == info.name; });
    if (found == tensors.end()) throw ModelError("the subgraph has no tensor '" + info.name + "' at its boundary");
    arranged.push_back(*found);
  }
  return arranged;
}

std::vector<std::unique_ptr<OwnBuffer>> make_buffers(const std::vector<const xir::Tensor*>& tensors,
                                                     const std::vector<TensorInfo>& infos) {
  std::vector<std::unique_ptr<OwnBuffer>> buffers;
  for (std::size_t i = 0; i < infos.size(); ++i) buffers.push_back(std::make_unique<OwnBuffer>(tensors[i], infos[i]));
  return buffers;
}

std::int64_t element_count(const TensorInfo& info) {
  std::int64_t count = 1;
  for (const auto extent : info.shape) count *= extent;
  return count;
}

std::size_t size_bytes(const TensorInfo& info, DType dtype) {
  return static_cast<std::size_t>(element_count(info)) * size_of(dtype);
}

std::int64_t common_runs(const std::vector<BoundBuffer>& inputs, const std::vector<BoundBuffer>& outputs) {
  const auto runs = outputs.front().runs;
  for (const auto* buffers : {&inputs, &outputs}) {
    for (const auto& buffer : *buffers) {
      if (buffer.runs != runs) {
        throw ShapeError("the buffers of one job hold different batches, " + std::to_string(buffer.runs) + " and " +
                         std::to_string(runs) + " images; give all of them the same");
      }
    }
  }
  return runs;
}

}  // namespace

SoftDpuRunner::SoftDpuRunner(std::shared_ptr<const Engine> engine, const xmodel::Boundary& boundary, Timing timing)
    : engine_(std::move(engine)),
      context_(engine_->make_context()),
      tensors_{arrange(boundary.inputs, engine_->inputs()), arrange(boundary.outputs, engine_->outputs())},
      timing_(std::move(timing)),
      own_inputs_(make_buffers(tensors_.inputs, engine_->inputs())),
      own_outputs_(make_buffers(tensors_.outputs, engine_->outputs())),
      compute_own_([this] { engine_->run(*context_, input_memory_.data(), output_memory_.data()); }) {
  for (const auto& buffer : own_inputs_) input_buffers_.push_back(buffer.get());
  for (const auto& buffer : own_outputs_) output_buffers_.push_back(buffer.get());
  input_memory_.resize(own_inputs_.size());
  output_memory_.resize(own_outputs_.size());
}

std::pair<std::uint32_t, int> SoftDpuRunner::execute_async(const Buffers& inputs, const Buffers& outputs) {
  const std::lock_guard lock(mutex_);
  if (inputs == input_buffers_ && outputs == output_buffers_) {
    run_own();
  } else {
    run_foreign(inputs, outputs);
  }
  // Callers keep the id in an int, where negative means any job.
  last_job_ = (last_job_ + 1) & 0x7fffffffU;
  return {last_job_, 0};
}

int SoftDpuRunner::wait(int, int) { return 0; }

void SoftDpuRunner::run_own() {
  for (std::size_t i = 0; i < own_inputs_.size(); ++i) input_memory_[i] = own_inputs_[i]->memory();
  for (std::size_t i = 0; i < own_outputs_.size(); ++i) output_memory_[i] = own_outputs_[i]->memory();
  run_job(compute_own_);
}

void SoftDpuRunner::run_foreign(const Buffers& inputs, const Buffers& outputs) {
  const auto& in = engine_->inputs();
  const auto& out = engine_->outputs();
  const auto bound_inputs = bind(inputs, in, "input");
  const auto bound_outputs = bind(outputs, out, "output");
  for (std::int64_t run = 0; run < common_runs(bound_inputs, bound_outputs); ++run) {
    for (std::size_t i = 0; i < in.size(); ++i) {
      const auto dtype = bound_inputs[i].dtype;
      const void* memory = bound_inputs[i].memory(run, size_bytes(in[i], dtype));
      input_memory_[i] = dtype == in[i].dtype ? memory : own_inputs_[i]->memory();
      if (dtype == in[i].dtype || !timing_.compute) continue;
      truncate_to_int8(static_cast<const float*>(memory), element_count(in[i]), in[i].fix_point.value_or(0),
                       static_cast<std::int8_t*>(own_inputs_[i]->memory()));
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto dtype = bound_outputs[i].dtype;
      void* memory = bound_outputs[i].memory(run, size_bytes(out[i], dtype));
      output_memory_[i] = dtype == out[i].dtype ? memory : own_outputs_[i]->memory();
    }
    run_job(compute_own_);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto dtype = bound_outputs[i].dtype;
      if (dtype == out[i].dtype || !timing_.compute) continue;
      to_float(static_cast<const std::int8_t*>(own_outputs_[i]->memory()), element_count(out[i]),
               out[i].fix_point.value_or(0),
               static_cast<float*>(bound_outputs[i].memory(run, size_bytes(out[i], dtype))));
    }
  }
}

void SoftDpuRunner::run_job(const std::function<void()>& work) {
  static const std::function<void()> nothing;
  const auto& job = timing_.compute ? work : nothing;
  if (timing_.device) {
    timing_.device->run_job(timing_.latency, job);
  } else if (job) {
    job();
  }
}

}  // namespace nerone::softdpu
