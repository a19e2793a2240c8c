#include "softdpu/step_info.hpp"

#include <type_traits>
#include <variant>

namespace nerone::softdpu {
namespace {

std::string size_of_window(const Window& window) {
  return std::to_string(window.kernel_h) + "x" + std::to_string(window.kernel_w);
}

std::string kind_of(const Operation& operation) {
  return std::visit(
      [](const auto& op) -> std::string {
        using T = std::decay_t<decltype(op)>;
        if constexpr (std::is_same_v<T, Conv>) return kind_of(op);
        if constexpr (std::is_same_v<T, Pool>) {
          return (op.kind == Pool::Kind::max ? "max pool " : "average pool ") + size_of_window(op.window);
        }
        if constexpr (std::is_same_v<T, Eltwise>) return op.kind == Eltwise::Kind::add ? "add" : "multiply";
        if constexpr (std::is_same_v<T, Concat>) return "concat";
        if constexpr (std::is_same_v<T, Copy>) return "copy";
        if constexpr (std::is_same_v<T, Upsample>) return "upsample";
        if constexpr (std::is_same_v<T, Downsample>) return "downsample";
        if constexpr (std::is_same_v<T, Pad>) return "pad";
        if constexpr (std::is_same_v<T, Tile>) return op.to_space ? "depth to space" : "space to depth";
        if constexpr (std::is_same_v<T, HardSigmoid>) return "hard sigmoid";
        if constexpr (std::is_same_v<T, Quantize>) return "quantize";
        return "dequantize";
      },
      operation);
}

}  // namespace

std::string kind_of(const Conv& conv) {
  return std::string(conv.transposed ? "transposed " : "") + (conv.depthwise ? "depthwise " : "") + "conv " +
         size_of_window(conv.window);
}

StepInfo info_of(const Program& program, const Step& step, const std::string& kernel) {
  StepInfo info{step.name, kind_of(step.operation), kernel, 0, 0, 0};
  info.bytes = static_cast<std::int64_t>(program.values[step.output].size_bytes());
  for (const auto input : step.inputs) info.bytes += static_cast<std::int64_t>(program.values[input].size_bytes());
  if (const auto* conv = std::get_if<Conv>(&step.operation)) {
    info.macs = info.computed_macs = conv->macs();
    info.bytes += static_cast<std::int64_t>(conv->weights->size());
  }
  return info;
}

}  // namespace nerone::softdpu
