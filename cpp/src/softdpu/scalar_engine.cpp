#include "softdpu/scalar_engine.hpp"

#include <cstring>
#include <type_traits>
#include <utility>

#include "base/aligned_buffer.hpp"

namespace nerone::softdpu {

void run_scalar(const Operation& operation, const void* const* inputs, void* output) {
  const auto* first = static_cast<const std::int8_t*>(inputs[0]);
  std::visit(
      [&](const auto& op) {
        using T = std::decay_t<decltype(op)>;
        if constexpr (std::is_same_v<T, Copy>) {
          run_scalar(op, inputs[0], output);
        } else if constexpr (std::is_same_v<T, Quantize>) {
          run_scalar(op, static_cast<const float*>(inputs[0]), output);
        } else if constexpr (std::is_same_v<T, Dequantize>) {
          run_scalar(op, first, static_cast<float*>(output));
        } else if constexpr (std::is_same_v<T, Eltwise> || std::is_same_v<T, Concat>) {
          run_scalar(op, inputs, static_cast<std::int8_t*>(output));
        } else {
          run_scalar(op, first, static_cast<std::int8_t*>(output));
        }
      },
      operation);
}

namespace {

struct ScalarContext final : Context {
  std::vector<AlignedBuffer> buffers;    // one per value; empty for constants
  std::vector<const void*> step_inputs;  // for the step that runs
};

class ScalarEngine final : public Engine {
 public:
  explicit ScalarEngine(std::shared_ptr<const Program> program)
      : program_(std::move(program)), inputs_(program_->input_infos()), outputs_(program_->output_infos()) {}

  const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  Kernels kernels() const override { return Kernels::scalar; }

  std::unique_ptr<Context> make_context() const override {
    auto context = std::make_unique<ScalarContext>();
    std::size_t most_inputs = 0;
    for (const auto& step : program_->steps) most_inputs = std::max(most_inputs, step.inputs.size());
    context->step_inputs.resize(most_inputs);
    for (const auto& value : program_->values) {
      context->buffers.emplace_back(value.constant ? 0 : value.size_bytes());
    }
    return context;
  }

  void run(Context& base, const void* const* inputs, void* const* outputs) const override {
    auto& context = static_cast<ScalarContext&>(base);
    const auto& values = program_->values;
    for (std::size_t i = 0; i < program_->inputs.size(); ++i) {
      const auto value = program_->inputs[i];
      std::memcpy(context.buffers[value].data(), inputs[i], values[value].size_bytes());
    }
    for (const auto& step : program_->steps) {
      for (std::size_t i = 0; i < step.inputs.size(); ++i) {
        const auto& constant = values[step.inputs[i]].constant;
        context.step_inputs[i] =
            constant ? static_cast<const void*>(constant->data()) : context.buffers[step.inputs[i]].data();
      }
      run_scalar(step.operation, context.step_inputs.data(), context.buffers[step.output].data());
    }
    for (std::size_t i = 0; i < program_->outputs.size(); ++i) {
      const auto value = program_->outputs[i];
      std::memcpy(outputs[i], context.buffers[value].data(), values[value].size_bytes());
    }
  }

 private:
  std::shared_ptr<const Program> program_;
  std::vector<TensorInfo> inputs_, outputs_;
};

}  // namespace

std::shared_ptr<const Engine> make_scalar_engine(std::shared_ptr<const Program> program) {
  return std::make_shared<ScalarEngine>(std::move(program));
}

}  // namespace nerone::softdpu
