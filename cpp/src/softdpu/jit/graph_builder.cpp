#include <algorithm>
#include <utility>

#include "softdpu/jit/conv_shape.hpp"
#include "softdpu/jit/graph.hpp"
#include "softdpu/jit/lowering.hpp"

namespace nerone::softdpu::jit {

int TensorGraph::root_of(int tensor) const {
  while (tensors[static_cast<std::size_t>(tensor)].parent != none) {
    tensor = tensors[static_cast<std::size_t>(tensor)].parent;
  }
  return tensor;
}

int TensorGraph::group_in_root(int tensor) const {
  int group = 0;
  for (; tensor != none; tensor = tensors[static_cast<std::size_t>(tensor)].parent) {
    group += tensors[static_cast<std::size_t>(tensor)].first_group;
  }
  return group;
}

GraphBuilder::GraphBuilder(const Program& program, Isa isa)
    : program_(program), isa_(isa), dense_(program.values.size(), none), packed_(program.values.size(), none) {}

TensorGraph GraphBuilder::build() {
  for (std::size_t i = 0; i < program_.inputs.size(); ++i) {
    dense_[program_.inputs[i]] = add_dense(program_.inputs[i]);
    graph_.tensors.back().input = static_cast<int>(i);
  }
  for (const auto& step : program_.steps) {
    if (!lower(step)) add_dense_step(step);
  }
  for (std::size_t i = 0; i < program_.outputs.size(); ++i) bind_output(program_.outputs[i], static_cast<int>(i));
  return std::move(graph_);
}

bool GraphBuilder::lower(const Step& step) {
  return std::visit(
      [&](const auto& operation) {
        using T = std::decay_t<decltype(operation)>;
        if constexpr (std::is_same_v<T, Conv> || std::is_same_v<T, Pool> || std::is_same_v<T, Eltwise> ||
                      std::is_same_v<T, Concat> || std::is_same_v<T, Upsample> || std::is_same_v<T, Pad> ||
                      std::is_same_v<T, Copy> || std::is_same_v<T, HardSigmoid>) {
          return lower_step(step, operation);
        } else {
          return false;
        }
      },
      step.operation);
}

int GraphBuilder::add_dense(std::size_t value) {
  Tensor tensor;
  tensor.dense_bytes = program_.values[value].size_bytes();
  tensor.constant = program_.values[value].constant;
  graph_.tensors.push_back(tensor);
  return static_cast<int>(graph_.tensors.size()) - 1;
}

int GraphBuilder::add_packed(const Extents& extents, ChannelMap channels) {
  Tensor tensor;
  tensor.packed = true;
  tensor.extents = extents;
  tensor.channels = std::move(channels);
  graph_.tensors.push_back(tensor);
  return static_cast<int>(graph_.tensors.size()) - 1;
}

int GraphBuilder::add_node(const std::string& name, Work work, std::vector<int> inputs, int output) {
  graph_.nodes.push_back({name, std::move(work), std::move(inputs), output});
  return output;
}

Tensor& GraphBuilder::tensor(int index) { return graph_.tensors[static_cast<std::size_t>(index)]; }

int GraphBuilder::dense(std::size_t value) {
  auto& known = dense_[value];
  if (known != none) return known;
  known = add_dense(value);
  if (packed_[value] != none) add_node(program_.values[value].name, UnpackNode{}, {packed_[value]}, known);
  return known;
}

std::optional<Extents> GraphBuilder::image(std::size_t value) const {
  const auto& shape = program_.values[value].shape;
  if (shape.size() != 4 || shape[0] != 1 || program_.values[value].dtype != DType::int8) return std::nullopt;
  return Extents{1, shape[1], shape[2], shape[3]};
}

int GraphBuilder::packed(std::size_t value) {
  auto& known = packed_[value];
  if (known != none) return known;
  const auto extents = *image(value);
  const auto channels = static_cast<int>(extents.channels);
  const int from = dense(value);
  known = add_packed(extents, dense_channels(channels));
  const PackNode pack{1, 1, 0, static_cast<int>(extents.width), channels};
  return add_node(program_.values[value].name, pack, {from}, known);
}

void GraphBuilder::add_dense_step(const Step& step) {
  std::vector<int> inputs;
  for (const auto input : step.inputs) inputs.push_back(dense(input));
  dense_[step.output] = add_dense(step.output);
  add_node(step.name, DenseNode{step.operation}, std::move(inputs), dense_[step.output]);
}

void GraphBuilder::bind_output(std::size_t value, int output) {
  const int from = dense(value);
  auto& root = tensor(graph_.root_of(from));
  if (root.input == none && root.output == none && !root.constant) {
    root.output = output;
    return;
  }
  const int copy = add_dense(value);
  tensor(copy).output = output;
  tensor(copy).constant = nullptr;
  const Operation operation = Copy{program_.values[value].size_bytes()};
  add_node(program_.values[value].name, DenseNode{operation}, {from}, copy);
}

TensorGraph build_graph(const Program& program, Isa isa) { return GraphBuilder(program, isa).build(); }

}  // namespace nerone::softdpu::jit
