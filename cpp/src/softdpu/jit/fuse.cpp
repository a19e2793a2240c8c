#include <algorithm>

#include "softdpu/jit/conv_shape.hpp"
#include "softdpu/jit/graph.hpp"

namespace nerone::softdpu::jit {
namespace {

// Nodes that read any tensor of the buffer that this one belongs to, beside itself.
int readers_of(const TensorGraph& graph, int tensor) {
  int count = 0;
  for (const auto& node : graph.nodes)
    count += static_cast<int>(std::count(node.inputs.begin(), node.inputs.end(), tensor));
  return count;
}

bool doubles(const std::vector<int>& sources) {
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (sources[i] != static_cast<int>(i / 2)) return false;
  }
  return sources.size() % 2 == 0;
}

Node* producer_of(TensorGraph& graph, int tensor) {
  const auto found =
      std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) { return node.output == tensor; });
  return found == graph.nodes.end() ? nullptr : &*found;
}

// A convolution that only an upsampling by two reads stores the larger image itself.
bool fuse_upsample(TensorGraph& graph, const Node& node) {
  const auto* upsample = std::get_if<UpsampleNode>(&node.work);
  if (upsample == nullptr || !doubles(upsample->rows) || !doubles(upsample->columns)) return false;
  const int input = node.inputs[0];
  Node* const producer = producer_of(graph, input);
  auto* const conv = producer == nullptr ? nullptr : std::get_if<ConvNode>(&producer->work);
  const bool is_plain = conv != nullptr && !conv->conv.transposed && conv->conv.window.stride_w == 1;
  if (!is_plain || conv->upsample || readers_of(graph, input) != 1) return false;
  if (graph.tensors[static_cast<std::size_t>(input)].parent != none) return false;
  conv->upsample = true;
  producer->output = node.output;
  return true;
}

}  // namespace

void fuse(TensorGraph& graph) {
  for (std::size_t i = 0; i < graph.nodes.size();) {
    const bool merged = fuse_upsample(graph, graph.nodes[i]);
    if (merged) graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i));
    if (!merged) ++i;
  }
}

}  // namespace nerone::softdpu::jit
