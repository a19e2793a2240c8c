#include "xmodel/resolve.hpp"

#include <algorithm>
#include <functional>
#include <nerone/error.hpp>
#include <queue>
#include <unordered_map>

namespace nerone::xmodel {

namespace {

using Indices = std::vector<std::size_t>;
using Names = std::unordered_map<std::string, std::size_t>;

// Kahn's algorithm, always taking the smallest index that is ready. Shorter than the graph where there is a cycle.
Indices topological_order(const std::vector<Indices>& readers, Indices missing_inputs) {
  std::priority_queue<std::size_t, Indices, std::greater<>> ready;
  for (std::size_t node = 0; node < readers.size(); ++node) {
    if (missing_inputs[node] == 0) ready.push(node);
  }
  Indices order;
  while (!ready.empty()) {
    const auto node = ready.top();
    ready.pop();
    order.push_back(node);
    for (const auto reader : readers[node]) {
      if (--missing_inputs[reader] == 0) ready.push(reader);
    }
  }
  return order;
}

std::size_t first_missing(const Indices& order, std::size_t count) {
  std::vector<bool> seen(count, false);
  for (const auto node : order) seen[node] = true;
  return static_cast<std::size_t>(std::find(seen.begin(), seen.end(), false) - seen.begin());
}

Names index_names(const std::vector<RawOp>& ops) {
  Names names;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (!names.emplace(ops[i].op.name, i).second) throw ModelError("two ops have the name '" + ops[i].op.name + "'");
  }
  return names;
}

std::size_t find(const Names& names, const std::string& name, const std::string& user) {
  const auto found = names.find(name);
  if (found == names.end()) throw ModelError(user + " refers to op '" + name + "', which is not in the graph");
  return found->second;
}

void resolve_inputs(std::vector<RawOp>& ops, const Names& names) {
  for (auto& raw : ops) {
    for (const auto& input : raw.inputs) {
      auto& indices = raw.op.inputs[input.role];
      if (!indices.empty()) throw ModelError("op '" + raw.op.name + "' has the input role '" + input.role + "' twice");
      for (const auto& name : input.ops) indices.push_back(find(names, name, "op '" + raw.op.name + "'"));
      if (indices.empty()) raw.op.inputs.erase(input.role);
    }
  }
}

Indices order_ops(const std::vector<RawOp>& ops) {
  std::vector<Indices> readers(ops.size());
  Indices missing_inputs(ops.size(), 0);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    for (const auto& [role, producers] : ops[i].op.inputs) {
      for (const auto producer : producers) readers[producer].push_back(i);
      missing_inputs[i] += producers.size();
    }
  }
  auto order = topological_order(readers, std::move(missing_inputs));
  if (order.size() != ops.size()) {
    throw ModelError("op '" + ops[first_missing(order, ops.size())].op.name + "' needs its own result, in a cycle");
  }
  return order;
}

class SubgraphResolver {
 public:
  SubgraphResolver(const Names& names, const Indices& rank) : names_(names), rank_(rank), taken_(rank.size(), false) {}

  Subgraph resolve(RawSubgraph& raw) {
    Subgraph subgraph{std::move(raw.name), std::move(raw.attrs), {}, {}};
    if (!raw.ops.empty() && !raw.children.empty()) {
      throw ModelError("subgraph '" + subgraph.name + "' has both ops and children");
    }
    for (const auto& name : raw.ops) {
      const auto op = rank_[find(names_, name, "subgraph '" + subgraph.name + "'")];
      if (taken_[op]) throw ModelError("op '" + name + "' is in two subgraphs");
      taken_[op] = true;
      subgraph.ops.push_back(op);
    }
    for (auto& child : raw.children) {
      subgraph.children.push_back(resolve(child));
      const auto& ops = subgraph.children.back().ops;
      subgraph.ops.insert(subgraph.ops.end(), ops.begin(), ops.end());
    }
    std::sort(subgraph.ops.begin(), subgraph.ops.end());
    return subgraph;
  }

 private:
  const Names& names_;
  const Indices& rank_;
  std::vector<bool> taken_;
};

void sort_children(const Graph& graph, Subgraph& subgraph) {
  std::vector<Subgraph> sorted;
  for (const auto child : order_of_children(graph, subgraph)) sorted.push_back(std::move(subgraph.children[child]));
  subgraph.children = std::move(sorted);
}

}  // namespace

std::vector<std::size_t> order_of_children(const Graph& graph, const Subgraph& subgraph) {
  const auto& children = subgraph.children;
  std::unordered_map<std::size_t, std::size_t> owner(subgraph.ops.size());
  for (std::size_t child = 0; child < children.size(); ++child) {
    for (const auto op : children[child].ops) owner[op] = child;
  }
  std::vector<Indices> readers(children.size());
  Indices missing_inputs(children.size(), 0);
  for (const auto& [op, child] : owner) {
    for (const auto& [role, producers] : graph.ops[op].inputs) {
      for (const auto producer : producers) {
        const auto found = owner.find(producer);
        if (found == owner.end() || found->second == child) continue;
        readers[found->second].push_back(child);
        ++missing_inputs[child];
      }
    }
  }
  auto order = topological_order(readers, std::move(missing_inputs));
  if (order.size() != children.size()) {
    throw ModelError("subgraph '" + children[first_missing(order, children.size())].name +
                     "' needs its own result, in a cycle");
  }
  return order;
}

Graph resolve(RawGraph raw) {
  Graph graph;
  graph.name = std::move(raw.name);
  graph.attrs = std::move(raw.attrs);
  const auto names = index_names(raw.ops);
  resolve_inputs(raw.ops, names);
  const auto order = order_ops(raw.ops);
  Indices rank(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) rank[order[i]] = i;
  for (const auto index : order) {
    graph.ops.push_back(std::move(raw.ops[index].op));
    for (auto& [role, producers] : graph.ops.back().inputs) {
      for (auto& producer : producers) producer = rank[producer];
    }
  }
  if (raw.root) graph.root = SubgraphResolver(names, rank).resolve(*raw.root);
  if (graph.root.name.empty()) graph.root.name = "root";
  if (graph.root.children.empty() && graph.root.ops.empty()) {
    for (std::size_t i = 0; i < graph.ops.size(); ++i) graph.root.ops.push_back(i);
  }
  sort_children(graph, graph.root);
  return graph;
}

}  // namespace nerone::xmodel
