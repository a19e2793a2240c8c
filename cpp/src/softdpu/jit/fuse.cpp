#include <algorithm>
#include <utility>

#include "softdpu/fixed.hpp"
#include "softdpu/jit/conv_shape.hpp"
#include "softdpu/jit/graph.hpp"
#include "softdpu/jit/upsampled_conv.hpp"

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
bool fuse_upsample(Isa, TensorGraph& graph, const Node& node) {
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

Node* only_reader_of(TensorGraph& graph, int tensor) {
  if (readers_of(graph, tensor) != 1) return nullptr;
  return &*std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return std::find(node.inputs.begin(), node.inputs.end(), tensor) != node.inputs.end();
  });
}

// Takes a part out of a concatenation; returns the channels that it held, by position.
ChannelMap take_out(TensorGraph& graph, int part, int whole) {
  auto& of_part = graph.tensors[static_cast<std::size_t>(part)];
  auto& channels = graph.tensors[static_cast<std::size_t>(whole)].channels;
  const auto first = channels.begin() + of_part.first_group * group_channels;
  const auto end = first + of_part.groups() * group_channels;
  const ChannelMap taken(first, end);
  channels.erase(first, end);
  for (auto& tensor : graph.tensors) {
    if (tensor.parent == whole && tensor.first_group > of_part.first_group) tensor.first_group -= of_part.groups();
  }
  of_part.parent = none;
  of_part.first_group = 0;
  return taken;
}

// A convolution that alone reads an upsampling by two, perhaps as a part of a concatenation, reads the small image.
bool fuse_upsampled_conv(Isa isa, TensorGraph& graph, const Node& node) {
  const auto* upsample = std::get_if<UpsampleNode>(&node.work);
  if (upsample == nullptr || !doubles(upsample->rows) || !doubles(upsample->columns)) return false;
  const int small = node.inputs[0], part = node.output;
  const auto& of_part = graph.tensors[static_cast<std::size_t>(part)];
  const int whole = of_part.parent == none ? part : of_part.parent;
  if (graph.tensors[static_cast<std::size_t>(whole)].parent != none) return false;
  if (whole != part && readers_of(graph, part) != 0) return false;
  Node* const reader = only_reader_of(graph, whole);
  const auto* conv = reader == nullptr ? nullptr : std::get_if<ConvNode>(&reader->work);
  if (conv == nullptr || !can_read_upsampled(conv->conv) || !is_faster_upsampled(isa, conv->conv, of_part.groups())) {
    return false;
  }
  UpsampledConvNode merged{conv->conv, of_part.channels};
  reader->inputs = {small};
  if (whole != part) {
    merged.small_channels = take_out(graph, part, whole);
    if (!graph.tensors[static_cast<std::size_t>(whole)].channels.empty()) reader->inputs.push_back(whole);
  }
  reader->work = std::move(merged);
  return true;
}

// x -> R(act(x * f(x) / 2^shift))
ByteTable gated(const ByteTable& function, const ProductRule& rule) {
  ByteTable table;
  for (std::size_t byte = 0; byte < table.bytes.size(); ++byte) {
    const int product = value_of(byte) * value_of(function.bytes[byte]);
    table.bytes[byte] = std::clamp(byte_of(round_shift(product, rule.shift)), rule.bounds.low, rule.bounds.high);
  }
  return table;
}

// The product of a value and a function of it is a function of it.
void fuse_gates(TensorGraph& graph) {
  for (auto& node : graph.nodes) {
    const auto* product = std::get_if<ProductNode>(&node.work);
    for (std::size_t i = 0; product != nullptr && i < 2; ++i) {
      const int value = node.inputs[i];
      const Node* const producer = producer_of(graph, node.inputs[1 - i]);
      const auto* table = producer == nullptr ? nullptr : std::get_if<TableNode>(&producer->work);
      if (table == nullptr || producer->inputs[0] != value) continue;
      node.work = TableNode{gated(table->table, product->rule)};
      node.inputs = {value};
      break;
    }
  }
}

bool is_part_of_buffer(const TensorGraph& graph, int tensor) {
  return graph.tensors[static_cast<std::size_t>(tensor)].parent != none ||
         std::any_of(graph.tensors.begin(), graph.tensors.end(),
                     [&](const Tensor& part) { return part.parent == tensor; });
}

// A table that only gates read.
bool drop_unread_table(Isa, TensorGraph& graph, const Node& node) {
  return std::holds_alternative<TableNode>(node.work) && readers_of(graph, node.output) == 0 &&
         !is_part_of_buffer(graph, node.output);
}

void erase_merged(Isa isa, TensorGraph& graph, bool (*merge)(Isa, TensorGraph&, const Node&)) {
  for (std::size_t i = 0; i < graph.nodes.size();) {
    const bool merged = merge(isa, graph, graph.nodes[i]);
    if (merged) graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i));
    if (!merged) ++i;
  }
}

}  // namespace

void fuse(Isa isa, TensorGraph& graph) {
  fuse_gates(graph);
  erase_merged(isa, graph, drop_unread_table);
  erase_merged(isa, graph, fuse_upsampled_conv);
  erase_merged(isa, graph, fuse_upsample);
}

}  // namespace nerone::softdpu::jit
