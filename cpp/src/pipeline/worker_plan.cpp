#include "pipeline/worker_plan.hpp"

#include <nerone/error.hpp>

#include "model/chain.hpp"
#include "xmodel/tensor_info.hpp"

namespace nerone::pipeline {

namespace {

using postprocess::Kind;

// From here on two integers may become the same probability, and argmax would see another first maximum.
constexpr int finest_fix_point = 20;

bool is_on_last_axis(const xmodel::Op& op) {
  const auto rank = static_cast<std::int32_t>(op.output.shape.size());
  const auto axis = xmodel::attr_or<std::int32_t>(op.attrs, "axis", -1);
  return axis == -1 || axis == rank - 1;
}

enum class Tail { none, to_float, softmax, other };

// The CPU's part behind the one DPU subgraph.
Tail tail_of(const xmodel::Graph& graph, const model::Link& dpu, const model::Link& cpu) {
  if (dpu.outputs.size() != 1 || cpu.inputs != dpu.outputs || cpu.outputs.size() != 1) return Tail::other;
  const auto& ops = cpu.subgraph->ops;
  const auto& first = graph.ops[ops.front()];
  const auto& source = graph.ops[dpu.outputs.front()].output;
  const bool is_crossing =
      first.type == "fix2float" && xmodel::attr_or<std::int32_t>(first.attrs, "fix_point", 0) == source.fix_point();
  if (!is_crossing || ops.size() > 2) return Tail::other;
  if (ops.size() == 1) return Tail::to_float;
  const auto& second = graph.ops[ops[1]];
  const bool fits = second.type == "softmax" && is_on_last_axis(second) && source.fix_point() <= finest_fix_point;
  return fits ? Tail::softmax : Tail::other;
}

const model::Link* find_direct(const xmodel::Graph& graph, const model::Chain& chain, Kind kind) {
  std::vector<const model::Link*> links;
  for (const auto& link : chain.links) {
    if (link.subgraph->device() != "USER") links.push_back(&link);
  }
  if (links.empty() || links.size() > 2 || links[0]->subgraph->device() != "DPU") return nullptr;
  if (links[0]->inputs != chain.inputs) return nullptr;
  if (links.size() == 1) return links[0];
  switch (tail_of(graph, *links[0], *links[1])) {
    case Tail::to_float:
      return kind == Kind::raw ? nullptr : links[0];
    case Tail::softmax:
      return kind == Kind::classes || kind == Kind::probabilities ? links[0] : nullptr;
    default:
      return nullptr;
  }
}

// A model that ends in a softmax has probabilities already.
Kind kind_for(const xmodel::Op& op, Kind kind) {
  return kind == Kind::probabilities && op.type == "softmax" ? Kind::raw : kind;
}

}  // namespace

Inputs::Inputs(const WorkerPlan& plan) {
  for (std::size_t i = 0; i < plan.inputs.size(); ++i) {
    preprocess_.emplace_back(plan.steps[i]);
    fix_points_.push_back(plan.inputs[i].fix_point.value_or(0));
  }
}

void Inputs::run(const Images& frame, const std::vector<TensorView>& destinations) {
  if (frame.size() != preprocess_.size()) {
    throw ShapeError("the frame has " + std::to_string(frame.size()) + " images, the network takes " +
                     std::to_string(preprocess_.size()) + "; give one per input");
  }
  for (std::size_t i = 0; i < frame.size(); ++i) preprocess_[i].run(frame[i], fix_points_[i], destinations[i]);
}

std::shared_ptr<const WorkerPlan> plan_workers(const std::filesystem::path& file,
                                               const std::vector<preprocess::Steps>& steps, Kind kind,
                                               const DeviceOptions& device, int device_timeout_ms) {
  auto plan = std::make_shared<WorkerPlan>();
  plan->model = xmodel::Handle::load(file);
  plan->device = device;
  plan->steps = steps;
  if (device_timeout_ms > 0) plan->job_timeout_ms = device_timeout_ms;
  const auto& graph = plan->model.graph();
  const auto chain = model::chain_of(graph);
  for (const auto op : chain.inputs) plan->inputs.push_back(xmodel::info_of(graph.ops[op].output));
  if (steps.size() == 1) plan->steps.assign(plan->inputs.size(), steps.front());
  if (plan->steps.size() != plan->inputs.size()) {
    throw ConfigurationError("there are preprocessings for " + std::to_string(steps.size()) + " inputs, '" +
                             file.string() + "' has " + std::to_string(plan->inputs.size()) +
                             "; give one for all of them, or one for each");
  }
  const auto* direct = find_direct(graph, chain, kind);
  if (direct != nullptr) plan->dpu_subgraph = direct->subgraph->name;
  for (const auto op : direct != nullptr ? direct->outputs : chain.outputs) {
    plan->outputs.push_back(xmodel::info_of(graph.ops[op].output));
    plan->reductions.emplace_back(kind_for(graph.ops[op], kind), plan->outputs.back());
  }
  return plan;
}

}  // namespace nerone::pipeline
