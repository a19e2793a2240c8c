// Integer ops that the compiler left on the CPU: each is planned as a subgraph of its own by the software DPU.

#include <map>
#include <memory>
#include <nerone/error.hpp>

#include "cpu/node.hpp"
#include "softdpu/engine.hpp"

namespace nerone::cpu {

namespace {

constexpr const char* suffix = "-fix";

// The op with its constants; what it reads otherwise becomes an input of the little graph.
xmodel::Graph graph_of_one(const Node& node) {
  xmodel::Graph graph;
  graph.name = node.op.name;
  auto copy = node.op;
  xmodel::Subgraph subgraph{node.op.name, {{"device", std::string("DPU")}}, {}, {}};
  std::map<std::size_t, std::size_t> placed;  // an op may read one tensor twice
  for (auto& [role, indices] : copy.inputs) {
    for (auto& index : indices) {
      const auto [place, is_new] = placed.try_emplace(index, graph.ops.size());
      if (!is_new) {
        index = place->second;
        continue;
      }
      auto source = node.graph.ops[index];
      source.inputs.clear();
      if (source.is_constant()) {
        subgraph.ops.push_back(graph.ops.size());
      } else {
        source.type = source.output.data_type == "FLOAT32" ? "data" : "data-fix";
      }
      index = graph.ops.size();
      graph.ops.push_back(std::move(source));
    }
  }
  subgraph.ops.push_back(graph.ops.size());
  graph.ops.push_back(std::move(copy));
  graph.root = {"root", {}, subgraph.ops, {subgraph}};
  return graph;
}

}  // namespace

bool is_fixed_point(const std::string& type) {
  const std::string end = suffix;
  return type.size() > end.size() && type.compare(type.size() - end.size(), end.size(), end) == 0 &&
         type != "const-fix" && type != "data-fix";
}

Kernel make_fixed_point(const Node& node) {
  std::shared_ptr<const softdpu::Engine> engine = softdpu::make_engine(graph_of_one(node));
  std::shared_ptr<softdpu::Context> context = engine->make_context();
  std::vector<std::size_t> order;
  for (const auto& input : engine->inputs()) {
    std::size_t at = 0;
    while (at < node.inputs.size() && node.inputs[at].name != input.name) ++at;
    if (at == node.inputs.size()) node.refuse("reads '" + input.name + "', which the software DPU does not know");
    order.push_back(at);
  }
  return [engine, context, order, pointers = std::vector<const void*>(order.size())](const void* const* inputs,
                                                                                     void* output) mutable {
    for (std::size_t i = 0; i < order.size(); ++i) pointers[i] = inputs[order[i]];
    engine->run(*context, pointers.data(), &output);
  };
}

}  // namespace nerone::cpu
