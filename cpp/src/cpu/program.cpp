#include "cpu/program.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <nerone/error.hpp>
#include <set>

#include "base/aligned_buffer.hpp"
#include "cpu/node.hpp"
#include "xmodel/tensor_info.hpp"

namespace nerone::cpu {

namespace {

// The most that the tensors of one CPU subgraph take together; real models take a few megabytes.
constexpr std::int64_t max_memory_bytes = std::int64_t{4} << 30;

struct Step {
  Kernel kernel;
  std::vector<std::size_t> inputs;  // ops
  std::size_t output;
  std::vector<const void*> pointers;
};

AlignedBuffer constant_of(const xmodel::Op& op) {
  const auto found = op.attrs.find("data");
  const auto* bytes = found == op.attrs.end() ? nullptr : std::get_if<xmodel::Bytes>(&found->second);
  const auto size = static_cast<std::size_t>(size_bytes(xmodel::info_of(op.output)));
  if (bytes == nullptr || bytes->size() != size) {
    throw ModelError("constant '" + op.name + "' of a CPU subgraph has " + std::to_string(bytes ? bytes->size() : 0) +
                     " bytes of data, its tensor needs " + std::to_string(size));
  }
  AlignedBuffer buffer(size);
  std::copy(bytes->begin(), bytes->end(), buffer.data());
  return buffer;
}

Node node_of(const xmodel::Graph& graph, const xmodel::Op& op) {
  Node node{op, graph, {}, xmodel::info_of(op.output)};
  for (const auto& [role, indices] : op.inputs) {
    for (const auto index : indices) node.inputs.push_back(xmodel::info_of(graph.ops[index].output));
  }
  return node;
}

Kernel kernel_of(const xmodel::Graph& graph, const xmodel::Op& op) {
  const auto node = node_of(graph, op);
  if (is_fixed_point(op.type)) return make_fixed_point(node);
  const auto found = kernel_table().find(op.type);
  if (found == kernel_table().end()) {
    throw ModelError("op '" + op.name + "' needs custom op '" + op.type +
                     "', which is missing; replace the layer, or end the model before it");
  }
  return found->second(node);
}

}  // namespace

struct Program::State {
  std::vector<std::size_t> inputs, outputs;
  std::vector<Step> steps;
  std::map<std::size_t, AlignedBuffer> memory;  // constants, and what no caller's buffer holds
  std::map<std::size_t, void*> addresses;       // of every op's output; inputs and outputs change with each run

  void add(const xmodel::Graph& graph, std::size_t index);
};

void Program::State::add(const xmodel::Graph& graph, std::size_t index) {
  const auto& op = graph.ops[index];
  if (op.is_constant()) {
    addresses[index] = memory.emplace(index, constant_of(op)).first->second.data();
    return;
  }
  if (op.inputs.empty()) throw ModelError("op '" + op.name + "' (" + op.type + ") of a CPU subgraph has no inputs");
  Step step{kernel_of(graph, op), {}, index, {}};
  for (const auto& [role, indices] : op.inputs) step.inputs.insert(step.inputs.end(), indices.begin(), indices.end());
  step.pointers.resize(step.inputs.size());
  steps.push_back(std::move(step));
}

Program::Program(std::unique_ptr<State> state) : state_(std::move(state)) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

const std::vector<std::size_t>& Program::inputs() const { return state_->inputs; }
const std::vector<std::size_t>& Program::outputs() const { return state_->outputs; }

Program Program::plan(const xmodel::Graph& graph, const xmodel::Subgraph& subgraph) {
  auto state = std::make_unique<State>();
  const std::set<std::size_t> own(subgraph.ops.begin(), subgraph.ops.end());
  std::set<std::size_t> read_inside, read_outside;
  for (std::size_t index = 0; index < graph.ops.size(); ++index) {
    for (const auto& [role, indices] : graph.ops[index].inputs) {
      (own.count(index) ? read_inside : read_outside).insert(indices.begin(), indices.end());
    }
  }
  for (const auto index : read_inside) {
    if (own.count(index) == 0) state->inputs.push_back(index);
  }
  std::int64_t total_bytes = 0;
  for (const auto index : own) {  // ascending, which is topological
    state->add(graph, index);
    total_bytes += size_bytes(xmodel::info_of(graph.ops[index].output));
    if (total_bytes > max_memory_bytes) {
      throw ModelError("CPU subgraph '" + subgraph.name + "' needs more than 4 GiB for its tensors");
    }
    if (graph.ops[index].is_constant()) continue;
    if (read_outside.count(index) != 0 || read_inside.count(index) == 0) {
      state->outputs.push_back(index);
    } else {
      AlignedBuffer buffer(static_cast<std::size_t>(size_bytes(xmodel::info_of(graph.ops[index].output))));
      state->addresses[index] = state->memory.emplace(index, std::move(buffer)).first->second.data();
    }
  }
  return Program(std::move(state));
}

void Program::run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs) {
  auto& addresses = state_->addresses;
  for (std::size_t i = 0; i < inputs.size(); ++i) addresses[state_->inputs[i]] = const_cast<void*>(inputs[i]);
  for (std::size_t i = 0; i < outputs.size(); ++i) addresses[state_->outputs[i]] = outputs[i];
  for (auto& step : state_->steps) {
    for (std::size_t i = 0; i < step.inputs.size(); ++i) step.pointers[i] = addresses.at(step.inputs[i]);
    step.kernel(step.pointers.data(), addresses.at(step.output));
  }
}

}  // namespace nerone::cpu
