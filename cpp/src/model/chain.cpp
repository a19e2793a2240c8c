#include "model/chain.hpp"

#include <algorithm>
#include <map>
#include <nerone/error.hpp>

namespace nerone::model {

namespace {

constexpr std::size_t nobody = static_cast<std::size_t>(-1);

// For each op the root child that holds it.
std::vector<std::size_t> owners_of(const xmodel::Graph& graph) {
  std::vector<std::size_t> owners(graph.ops.size(), nobody);
  for (std::size_t child = 0; child < graph.root.children.size(); ++child) {
    for (const auto op : graph.root.children[child].ops) {
      if (owners[op] != nobody) throw ModelError("op '" + graph.ops[op].name + "' stands in two subgraphs");
      owners[op] = child;
    }
  }
  for (std::size_t op = 0; op < owners.size(); ++op) {
    if (owners[op] == nobody && !graph.ops[op].is_constant()) {
      throw ModelError("op '" + graph.ops[op].name +
                       "' stands in no subgraph; the model is not compiled, compile it first");
    }
  }
  return owners;
}

void check_devices(const xmodel::Graph& graph) {
  if (graph.root.children.empty()) {
    throw ModelError("the model '" + graph.name + "' has no subgraphs; it is not compiled, compile it first");
  }
  for (const auto& child : graph.root.children) {
    const auto device = child.device();
    if (device != "USER" && device != "DPU" && device != "CPU") {
      throw ModelError("subgraph '" + child.name + "' is for device '" + device + "', expected USER, DPU or CPU");
    }
    if (device != "USER") continue;
    for (const auto op : child.ops) {
      if (!graph.ops[op].is_data() && !graph.ops[op].is_constant()) {
        throw ModelError("op '" + graph.ops[op].name + "' (" + graph.ops[op].type +
                         ") stands in a USER subgraph, which only has inputs");
      }
    }
  }
}

struct Crossings {
  std::vector<std::set<std::size_t>> inputs, outputs;  // per child: ops
  std::set<std::size_t> read;                          // ops that some op reads
};

Crossings crossings_of(const xmodel::Graph& graph, const std::vector<std::size_t>& owners) {
  const auto children = graph.root.children.size();
  Crossings crossings{std::vector<std::set<std::size_t>>(children), std::vector<std::set<std::size_t>>(children), {}};
  for (std::size_t op = 0; op < graph.ops.size(); ++op) {
    for (const auto& [role, sources] : graph.ops[op].inputs) {
      for (const auto source : sources) {
        crossings.read.insert(source);
        if (owners[source] == owners[op]) continue;
        if (graph.ops[source].is_constant()) {
          throw ModelError("constant '" + graph.ops[source].name + "' is read by op '" + graph.ops[op].name +
                           "' of another subgraph");
        }
        crossings.inputs[owners[op]].insert(source);
        crossings.outputs[owners[source]].insert(source);
      }
    }
  }
  return crossings;
}

// Children in an order in which each comes after those it reads; of several such, the file's.
std::vector<std::size_t> running_order(const xmodel::Graph& graph, const std::vector<std::size_t>& owners,
                                       const Crossings& crossings) {
  const auto children = graph.root.children.size();
  std::vector<std::size_t> order;
  std::vector<bool> done(children, false);
  while (order.size() < children) {
    const auto before = order.size();
    for (std::size_t child = 0; child < children; ++child) {
      const auto& inputs = crossings.inputs[child];
      if (done[child] || !std::all_of(inputs.begin(), inputs.end(), [&](std::size_t op) { return done[owners[op]]; }))
        continue;
      done[child] = true;
      order.push_back(child);
    }
    if (order.size() == before) {
      const auto waiting = static_cast<std::size_t>(std::find(done.begin(), done.end(), false) - done.begin());
      throw ModelError("subgraph '" + graph.root.children[waiting].name + "' and another one wait for each other");
    }
  }
  return order;
}

}  // namespace

Chain chain_of(const xmodel::Graph& graph) {
  check_devices(graph);
  const auto owners = owners_of(graph);
  auto crossings = crossings_of(graph, owners);
  Chain chain;
  for (std::size_t op = 0; op < graph.ops.size(); ++op) {
    if (owners[op] == nobody || graph.ops[op].is_constant()) continue;
    const bool is_input = graph.root.children[owners[op]].device() == "USER";
    if (is_input) chain.inputs.push_back(op);
    if (is_input || crossings.read.count(op) != 0) continue;
    crossings.outputs[owners[op]].insert(op);
    chain.outputs.push_back(op);
  }
  if (chain.inputs.empty())
    throw ModelError("the model '" + graph.name + "' has no inputs (no USER subgraph with data)");
  for (const auto child : running_order(graph, owners, crossings)) {
    const auto &in = crossings.inputs[child], &out = crossings.outputs[child];
    chain.links.push_back({&graph.root.children[child], {in.begin(), in.end()}, {out.begin(), out.end()}});
  }
  return chain;
}

Chain until_first_dpu(Chain chain) {
  const auto is_dpu = [](const Link& link) { return link.subgraph->device() == "DPU"; };
  const auto first = std::find_if(chain.links.begin(), chain.links.end(), is_dpu);
  if (first == chain.links.end()) throw ModelError("the model has no DPU subgraph to run until");
  chain.outputs = first->outputs;
  chain.links.erase(first + 1, chain.links.end());
  std::set<std::size_t> read;
  for (const auto& link : chain.links) read.insert(link.inputs.begin(), link.inputs.end());
  const auto unread = [&read](std::size_t op) { return read.count(op) == 0; };
  chain.inputs.erase(std::remove_if(chain.inputs.begin(), chain.inputs.end(), unread), chain.inputs.end());
  return chain;
}

}  // namespace nerone::model
