#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <nerone/error.hpp>
#include <nerone/model.hpp>
#include <optional>

#include "base/aligned_buffer.hpp"
#include "cpu/program.hpp"
#include "model/chain.hpp"
#include "model/convert.hpp"
#include "vart/dpu_runner.hpp"
#include "xmodel/tensor_info.hpp"

namespace nerone {

namespace {

// A tensor that crosses between subgraphs, or between the user and one. It lives in the runner's own memory where it
// can.
struct Crossing {
  TensorInfo info;
  void* memory = nullptr;
  AlignedBuffer own;
};

// A tensor that a DPU subgraph reads, but that lives elsewhere.
struct Transfer {
  std::size_t op;
  void* to;
};

struct DpuStep {
  vart::Runner runner;
  std::vector<Transfer> transfers;
  std::optional<vart::Job> late;  // a job that did not finish in time and may still write
};

struct CpuStep {
  cpu::Program program;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
};

struct Step {
  std::optional<DpuStep> dpu;
  std::optional<CpuStep> cpu;
};

}  // namespace

struct Model::State {
  xmodel::Handle handle;
  model::Chain chain;
  std::vector<TensorInfo> inputs, outputs;
  std::vector<SubgraphInfo> subgraphs;
  std::map<std::size_t, Crossing> crossings;  // by op
  std::vector<Step> steps;
  std::mutex running;

  State(xmodel::Handle loaded, Until until) : handle(std::move(loaded)), chain(model::chain_of(handle.graph())) {
    if (until == Until::first_dpu) chain = model::until_first_dpu(std::move(chain));
  }

  void describe();
  void add_dpu(const model::Link& link, const DeviceOptions& options);
  void add_cpu(const model::Link& link);
  void settle();
  void run(Step& step, int timeout_ms);
};

void Model::State::describe() {
  const auto& graph = handle.graph();
  for (const auto op : chain.inputs) inputs.push_back(xmodel::info_of(graph.ops[op].output));
  for (const auto op : chain.outputs) outputs.push_back(xmodel::info_of(graph.ops[op].output));
  for (const auto& link : chain.links) {
    SubgraphInfo info{link.subgraph->name, link.subgraph->device(), {}};
    for (const auto op : link.subgraph->ops) info.ops.push_back(graph.ops[op].name);
    subgraphs.push_back(std::move(info));
    for (const auto op : link.outputs) crossings[op].info = xmodel::info_of(graph.ops[op].output);
  }
  for (const auto op : chain.inputs) crossings[op].info = xmodel::info_of(graph.ops[op].output);
}

void Model::State::add_dpu(const model::Link& link, const DeviceOptions& options) {
  const auto& name = link.subgraph->name;
  DpuStep step{vart::Runner::create(handle, name, options), {}, std::nullopt};
  for (const auto op : link.inputs) {
    auto& crossing = crossings.at(op);
    void* port = vart::find_port(step.runner.inputs(), crossing.info, link.inputs.size(), name).images.front().data;
    if (crossing.memory == nullptr) {
      crossing.memory = port;
    } else {
      step.transfers.push_back({op, port});
    }
  }
  for (const auto op : link.outputs) {
    auto& crossing = crossings.at(op);
    crossing.memory =
        vart::find_port(step.runner.outputs(), crossing.info, link.outputs.size(), name).images.front().data;
  }
  steps.push_back({std::move(step), std::nullopt});
}

void Model::State::add_cpu(const model::Link& link) {
  steps.push_back({std::nullopt, CpuStep{cpu::Program::plan(handle.graph(), *link.subgraph), {}, {}}});
}

// Tensors that no runner holds get memory of their own; then every address is known.
void Model::State::settle() {
  for (auto& [op, crossing] : crossings) {
    if (crossing.memory != nullptr) continue;
    crossing.own = AlignedBuffer(static_cast<std::size_t>(size_bytes(crossing.info)));
    crossing.memory = crossing.own.data();
  }
  for (auto& step : steps) {
    if (!step.cpu) continue;
    for (const auto op : step.cpu->program.inputs()) step.cpu->inputs.push_back(crossings.at(op).memory);
    for (const auto op : step.cpu->program.outputs()) step.cpu->outputs.push_back(crossings.at(op).memory);
  }
}

void Model::State::run(Step& step, int timeout_ms) {
  if (step.cpu) {
    step.cpu->program.run(step.cpu->inputs, step.cpu->outputs);
    return;
  }
  auto& dpu = *step.dpu;
  if (dpu.late) dpu.runner.finish(*dpu.late, timeout_ms);
  for (const auto& transfer : dpu.transfers) {
    const auto& crossing = crossings.at(transfer.op);
    std::memcpy(transfer.to, crossing.memory, static_cast<std::size_t>(size_bytes(crossing.info)));
  }
  dpu.late = dpu.runner.start();
  try {
    dpu.runner.finish(*dpu.late, timeout_ms);
  } catch (const TimeoutError&) {
    throw;
  } catch (...) {
    dpu.late.reset();
    throw;
  }
  dpu.late.reset();
}

Model::Model(std::unique_ptr<State> state) : state_(std::move(state)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Model Model::load(const std::filesystem::path& file, const DeviceOptions& options, Until until) {
  try {
    return of(xmodel::Handle::load(file), options, until);
  } catch (const std::bad_alloc&) {
    throw ModelError("'" + file.string() + "' needs more memory than this machine has");
  }
}

Model Model::of(const xmodel::Handle& file, const DeviceOptions& options, Until until) {
  try {
    auto state = std::make_unique<State>(file, until);
    state->describe();
    for (const auto& link : state->chain.links) {
      if (link.subgraph->device() == "CPU") state->add_cpu(link);
    }
    // Runners come last and in their order: a missing op is found before the device is touched.
    auto cpu_steps = std::move(state->steps);
    state->steps.clear();
    auto next_cpu = cpu_steps.begin();
    for (const auto& link : state->chain.links) {
      if (link.subgraph->device() == "CPU") state->steps.push_back(std::move(*next_cpu++));
      if (link.subgraph->device() == "DPU") state->add_dpu(link, options);
    }
    state->settle();
    return Model(std::move(state));
  } catch (const std::bad_alloc&) {
    throw ModelError("the model '" + file.graph().name + "' needs more memory than this machine has");
  }
}

const std::vector<TensorInfo>& Model::inputs() const { return state_->inputs; }
const std::vector<TensorInfo>& Model::outputs() const { return state_->outputs; }
const std::vector<SubgraphInfo>& Model::subgraphs() const { return state_->subgraphs; }

void Model::run(const std::vector<TensorView>& inputs, const std::vector<TensorView>& outputs, int timeout_ms) {
  auto& state = *state_;
  const auto check = [](const std::vector<TensorInfo>& tensors, const std::vector<TensorView>& views,
                        const char* kind) {
    if (views.size() != tensors.size()) {
      throw ShapeError("the model has " + std::to_string(tensors.size()) + " " + kind + "s, got " +
                       std::to_string(views.size()));
    }
    for (std::size_t i = 0; i < views.size(); ++i) model::check_view(tensors[i], views[i], kind);
  };
  check(state.inputs, inputs, "input");
  check(state.outputs, outputs, "output");
  const std::lock_guard lock(state.running);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    model::copy_in(state.inputs[i], inputs[i], state.crossings.at(state.chain.inputs[i]).memory);
  }
  for (auto& step : state.steps) state.run(step, timeout_ms);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    model::copy_out(state.outputs[i], state.crossings.at(state.chain.outputs[i]).memory, outputs[i]);
  }
}

}  // namespace nerone
