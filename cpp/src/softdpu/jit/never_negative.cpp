#include "softdpu/jit/never_negative.hpp"

#include <algorithm>

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

// Of each group that a node writes: whether its values are never negative, where this holds of its inputs' groups.
struct WrittenGroups {
  const std::vector<std::vector<bool>>& inputs;
  std::size_t count;

  std::vector<bool> operator()(const PackNode&) const { return all(false); }
  std::vector<bool> operator()(const UnpackNode&) const { return {}; }
  std::vector<bool> operator()(const ConvNode& node) const { return all(has_relu(node.conv)); }
  std::vector<bool> operator()(const UpsampledConvNode& node) const { return all(has_relu(node.conv)); }
  std::vector<bool> operator()(const MaxPoolNode& node) const {
    return always_meets_a_pixel(node.window) ? inputs[0] : all(false);
  }
  std::vector<bool> operator()(const SumNode& node) const {
    return node.bounds.low >= zero_byte ? all(true) : where_all_are();
  }
  std::vector<bool> operator()(const ProductNode& node) const {
    if (node.rule.bounds.low >= zero_byte) return all(true);
    if (node.rule.second != Factor::plane) return where_all_are();
    return inputs[1][0] ? inputs[0] : all(false);
  }
  std::vector<bool> operator()(const TableNode& node) const {
    const auto is_positive = [](std::uint8_t byte) { return byte >= zero_byte; };
    const auto& bytes = node.table.bytes;
    if (std::all_of(bytes.begin(), bytes.end(), is_positive)) return all(true);
    return std::all_of(bytes.begin() + zero_byte, bytes.end(), is_positive) ? inputs[0] : all(false);
  }
  std::vector<bool> operator()(const GlobalAverageNode&) const { return inputs[0]; }
  std::vector<bool> operator()(const UpsampleNode& node) const {
    return node.fill >= zero_byte ? inputs[0] : all(false);
  }
  std::vector<bool> operator()(const DenseNode&) const { return {}; }

 private:
  std::vector<bool> where_all_are() const {
    auto groups = inputs[0];
    for (const auto& other : inputs) {
      for (std::size_t i = 0; i < groups.size(); ++i) groups[i] = groups[i] && other[i];
    }
    return groups;
  }
  std::vector<bool> all(bool value) const { return std::vector<bool>(count, value); }
};

}  // namespace

NeverNegative::NeverNegative(const TensorGraph& graph) : graph_(graph), by_root_(graph.tensors.size()) {
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
    by_root_[i].resize(static_cast<std::size_t>(graph.tensors[i].groups()), false);
  }
  for (const auto& node : graph.nodes) {
    std::vector<std::vector<bool>> inputs;
    for (const int input : node.inputs) inputs.push_back(of(input));
    const auto& output = graph.tensors[static_cast<std::size_t>(node.output)];
    const auto groups = std::visit(WrittenGroups{inputs, static_cast<std::size_t>(output.groups())}, node.work);
    std::copy(groups.begin(), groups.end(), begin_of(node.output));
  }
}

std::vector<bool> NeverNegative::of(int tensor) const {
  const auto begin = begin_of(tensor);
  return {begin, begin + graph_.tensors[static_cast<std::size_t>(tensor)].groups()};
}

std::vector<bool>::iterator NeverNegative::begin_of(int tensor) {
  return by_root_[static_cast<std::size_t>(graph_.root_of(tensor))].begin() + graph_.group_in_root(tensor);
}

std::vector<bool>::const_iterator NeverNegative::begin_of(int tensor) const {
  return by_root_[static_cast<std::size_t>(graph_.root_of(tensor))].begin() + graph_.group_in_root(tensor);
}

}  // namespace nerone::softdpu::jit
