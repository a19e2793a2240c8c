#include <algorithm>

#include "softdpu/jit/graph.hpp"
#include "softdpu/jit/requantize.hpp"

namespace nerone::softdpu::jit {
namespace {

bool has_relu(const Conv& conv) {
  const auto requantization = requantization_of(conv);
  return requantization && requantization->rule.low >= zero_byte;
}

// A window outside the image gives -128.
bool always_meets_a_pixel(const Window& window) {
  return std::max(window.pad_top, window.pad_bottom) < window.kernel_h &&
         std::max(window.pad_left, window.pad_right) < window.kernel_w;
}

// Whether a node writes no value below 0 where its inputs hold none, or hold some.
struct WritesNoNegative {
  bool inputs_hold_none;

  bool operator()(const PackNode&) const { return inputs_hold_none; }
  bool operator()(const UnpackNode&) const { return false; }
  bool operator()(const ConvNode& node) const { return has_relu(node.conv); }
  bool operator()(const UpsampledConvNode& node) const { return has_relu(node.conv); }
  bool operator()(const MaxPoolNode& node) const { return inputs_hold_none && always_meets_a_pixel(node.window); }
  bool operator()(const SumNode& node) const { return inputs_hold_none || node.low >= zero_byte; }
  bool operator()(const UpsampleNode&) const { return inputs_hold_none; }
  bool operator()(const DenseNode&) const { return false; }
};

}  // namespace

std::vector<bool> never_negative(const TensorGraph& graph) {
  std::vector<bool> written(graph.tensors.size(), false), negative(graph.tensors.size(), false);
  const auto holds_none = [&](int tensor) {
    const auto at = static_cast<std::size_t>(tensor);
    return written[at] && !negative[at];
  };
  for (const auto& node : graph.nodes) {
    const bool none_in = std::all_of(node.inputs.begin(), node.inputs.end(), holds_none);
    const bool none_out = std::visit(WritesNoNegative{none_in}, node.work);
    for (int tensor = node.output; tensor != none; tensor = graph.tensors[static_cast<std::size_t>(tensor)].parent) {
      written[static_cast<std::size_t>(tensor)] = true;
      if (!none_out) negative[static_cast<std::size_t>(tensor)] = true;
    }
  }
  for (std::size_t i = 0; i < written.size(); ++i)
    written[i] = graph.tensors[i].packed && holds_none(static_cast<int>(i));
  return written;
}

}  // namespace nerone::softdpu::jit
