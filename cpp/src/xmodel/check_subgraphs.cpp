#include <nerone/error.hpp>
#include <unordered_set>

#include "xmodel/check.hpp"
#include "xmodel/registers.hpp"
#include "xmodel/resolve.hpp"
#include "xmodel/texts.hpp"

namespace nerone::xmodel {

namespace {

// Every op of a subgraph is in exactly one of its children, and so on down to the leaves.
class TreeCheck {
 public:
  TreeCheck(const Graph& graph, const Limits& limits)
      : graph_(graph), limits_(limits), owner_(graph.ops.size(), nullptr) {}

  void run() {
    take_ops(graph_.root, nullptr);
    if (graph_.root.ops.size() != graph_.ops.size())
      throw ModelError("the subgraphs do not hold every op of the graph");
    check(graph_.root, 0);
  }

 private:
  void check(const Subgraph& subgraph, int depth) {
    const auto name = "subgraph '" + subgraph.name + "'";
    if (depth > limits_.max_subgraph_depth) {
      throw ModelError("subgraphs are nested deeper than " + std::to_string(limits_.max_subgraph_depth));
    }
    if (!is_utf8(subgraph.name)) throw ModelError("a subgraph's name is not UTF-8");
    check_texts(subgraph.attrs, name);
    if (subgraph.ops.empty()) throw ModelError(name + " has no ops");
    if (subgraph.children.empty()) return;
    std::size_t count = 0;
    for (const auto& child : subgraph.children) {
      take_ops(child, &subgraph);
      count += child.ops.size();
    }
    if (count != subgraph.ops.size()) throw ModelError("the children of " + name + " do not hold all of its ops");
    order_of_children(graph_, subgraph);
    for (const auto& child : subgraph.children) check(child, depth + 1);
  }

  void take_ops(const Subgraph& subgraph, const Subgraph* parent) {
    for (const auto op : subgraph.ops) {
      if (op >= owner_.size()) throw ModelError("subgraph '" + subgraph.name + "' refers to an op that does not exist");
      if (owner_[op] != parent) {
        throw ModelError("op '" + graph_.ops[op].name + "' is in two subgraphs, or in subgraph '" + subgraph.name +
                         "' but not in its parent");
      }
      owner_[op] = &subgraph;
    }
  }

  const Graph& graph_;
  const Limits& limits_;
  std::vector<const Subgraph*> owner_;
};

void check_root_names(const Subgraph& root) {
  std::unordered_set<std::string> names;
  for (const auto& child : root.children) {
    if (child.name.empty()) throw ModelError("a subgraph has no name");
    if (!names.insert(child.name).second) throw ModelError("two subgraphs have the name '" + child.name + "'");
  }
}

// VART finds the buffers of a runner by the names of the tensors that go in and out.
void check_boundary_names(const Graph& graph, const Subgraph& child) {
  std::unordered_set<std::size_t> inside(child.ops.begin(), child.ops.end());
  std::unordered_set<std::size_t> outside;
  std::unordered_set<std::string> names;
  for (const auto op : child.ops) {
    for (const auto& [role, producers] : graph.ops[op].inputs) {
      for (const auto producer : producers) {
        if (inside.count(producer) != 0 || !outside.insert(producer).second) continue;
        const auto& name = graph.ops[producer].output.name;
        if (!names.insert(name).second) {
          throw ModelError("two inputs of subgraph '" + child.name + "' have the tensor name '" + name + "'");
        }
      }
    }
  }
}

void check_constants(const Graph& graph, const Subgraph& child) {
  const bool compiled = child.device() == "DPU";
  for (const auto index : child.ops) {
    const Op& op = graph.ops[index];
    if (!op.is_constant() || !std::get<Bytes>(op.attrs.at("data")).empty()) continue;
    if (!compiled) throw ModelError("constant '" + op.name + "' has no data");
    if (has_plain_registers(child)) find_in_register(op, child);
  }
}

}  // namespace

void check_subgraphs(const Graph& graph, const Limits& limits) {
  TreeCheck(graph, limits).run();
  check_root_names(graph.root);
  if (graph.root.children.empty()) check_constants(graph, graph.root);
  for (const auto& child : graph.root.children) {
    check_boundary_names(graph, child);
    check_constants(graph, child);
  }
}

void check(const Graph& graph, const Limits& limits) {
  check_ops(graph, limits);
  check_subgraphs(graph, limits);
}

}  // namespace nerone::xmodel
