#include "softdpu/jit/memory.hpp"

#include <algorithm>
#include <limits>

namespace nerone::softdpu::jit {

Image PackedPlace::image(const Frame& frame) const {
  Image image = shape;
  image.data = frame.arena + offset;
  return image;
}

ConstImage PackedPlace::const_image(const Frame& frame) const {
  return {frame.arena + offset, shape.height, shape.width, shape.groups, shape.row_bytes, shape.group_bytes};
}

const void* DensePlace::read(const Frame& frame) const {
  if (constant) return constant->data();
  if (input != none) return frame.inputs[input];
  return write(frame);
}

void* DensePlace::write(const Frame& frame) const {
  return output != none ? frame.outputs[output] : frame.arena + offset;
}

Memory::Memory(const TensorGraph& graph)
    : graph_(graph),
      layouts_(graph.tensors.size()),
      spans_(graph.tensors.size(), {0, std::numeric_limits<int>::max(), 0}) {
  const auto count = static_cast<int>(graph.tensors.size());
  std::vector<Pads> pads(graph.tensors.size());
  for (int i = 0; i < count; ++i) {
    pads[static_cast<std::size_t>(graph.root_of(i))].include(graph.tensors[static_cast<std::size_t>(i)].pads);
  }
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    const auto& node = graph.nodes[static_cast<std::size_t>(i)];
    auto touched = node.inputs;
    touched.push_back(node.output);
    for (const int tensor : touched) {
      auto& span = spans_[static_cast<std::size_t>(graph.root_of(tensor))];
      span.first = std::min(span.first, i);
      span.last = std::max(span.last, i);
    }
  }
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const auto& tensor = graph.tensors[at];
    const bool is_used = spans_[at].first <= spans_[at].last;
    if (tensor.parent != none || !is_used || tensor.constant || tensor.input != none || tensor.output != none) {
      spans_[at].first = spans_[at].last = 0;
    } else if (tensor.packed) {
      layouts_[at] = Layout(tensor.height(), tensor.width(), tensor.groups(), pads[at]);
      spans_[at].size_bytes = layouts_[at].size_bytes();
    } else {
      spans_[at].size_bytes = tensor.dense_bytes;
    }
  }
  arena_ = arrange(spans_);
}

PackedPlace Memory::packed(int tensor) const {
  const int root = graph_.root_of(tensor);
  const auto& layout = layout_of(root);
  PackedPlace place;
  place.offset = static_cast<std::ptrdiff_t>(offset_of(root)) + layout.origin() +
                 static_cast<std::ptrdiff_t>(graph_.group_in_root(tensor)) * layout.pitch;
  place.shape = {nullptr,
                 layout.height,
                 layout.width,
                 graph_.tensors[static_cast<std::size_t>(tensor)].groups(),
                 layout.row_bytes(),
                 layout.pitch};
  return place;
}

DensePlace Memory::dense(int tensor) const {
  const int root = graph_.root_of(tensor);
  const auto& owner = graph_.tensors[static_cast<std::size_t>(root)];
  return {static_cast<std::ptrdiff_t>(offset_of(root)), owner.input, owner.output, owner.constant};
}

std::vector<int> Memory::begun_by(int node) const {
  std::vector<int> roots;
  const int root = graph_.root_of(graph_.nodes[static_cast<std::size_t>(node)].output);
  const bool is_packed = graph_.tensors[static_cast<std::size_t>(root)].packed;
  if (is_packed && spans_[static_cast<std::size_t>(root)].first == node) roots.push_back(root);
  return roots;
}

bool Memory::has_padded_parts(int root) const {
  for (int i = 0; i < static_cast<int>(graph_.tensors.size()); ++i) {
    const auto& tensor = graph_.tensors[static_cast<std::size_t>(i)];
    if (i != root && tensor.pads.side > 0 && graph_.root_of(i) == root) return true;
  }
  return false;
}

std::size_t Memory::live_bytes() const {
  const auto nodes = static_cast<int>(graph_.nodes.size());
  std::vector<std::size_t> begun(graph_.nodes.size()), ended(graph_.nodes.size() + 1);
  for (const auto& span : spans_) {
    const int first = std::max(span.first, 0), last = std::min(span.last, nodes - 1);
    if (first > last) continue;
    begun[static_cast<std::size_t>(first)] += span.size_bytes;
    ended[static_cast<std::size_t>(last) + 1] += span.size_bytes;
  }
  std::size_t most = 0, bytes = 0;
  for (std::size_t node = 0; node < begun.size(); ++node) {
    bytes += begun[node] - ended[node];
    most = std::max(most, bytes);
  }
  return most;
}

}  // namespace nerone::softdpu::jit
