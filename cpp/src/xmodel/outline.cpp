#include "xmodel/outline.hpp"

#include <algorithm>
#include <nerone/error.hpp>
#include <unordered_map>
#include <unordered_set>

#include "xmodel/check.hpp"
#include "xmodel/op_registry.hpp"
#include "xmodel/registers.hpp"

namespace nerone::xmodel {

namespace {

// As libxir gives them to a plug-in: with the fallbacks of what an op lacks, without its own private ones.
Attrs public_attrs(const Attrs& attrs) {
  Attrs kept;
  for (const auto& [key, value] : attrs) {
    if (key.compare(0, 2, "__") != 0) kept.emplace(key, value);
  }
  return kept;
}

Attrs full_attrs(const Op& op) {
  auto attrs = public_attrs(op.attrs);
  const auto* definition = find_definition(op.type);
  if (definition == nullptr) return attrs;
  for (const auto& attr : definition->attrs) {
    if (attr.fallback) attrs.emplace(attr.name, *attr.fallback);
  }
  return attrs;
}

// An op outside a subgraph that feeds it.
Op source_of(const Op& op) {
  const std::string type = op.is_constant() ? op.type : op.output.attrs.count("fix_point") != 0 ? "data-fix" : "data";
  if (type == op.type) return {op.name, type, full_attrs(op), {}, op.output};
  return {op.name, type, {{"shape", op.output.shape}, {"data_type", op.output.data_type}}, {}, op.output};
}

class Describer {
 public:
  Describer(const Graph& file, const Subgraph& child)
      : file_(file), child_(child), inside_(child.ops.begin(), child.ops.end()) {}

  Graph run() {
    graph_.name = child_.name;
    Subgraph described{child_.name, public_attrs(child_.attrs), {}, {}};
    for (const auto index : child_.ops) {
      add_outside_inputs(file_.ops[index]);
      described.ops.push_back(add(index, inner(file_.ops[index])));
    }
    for (auto& op : graph_.ops) fill_constant(op, child_);
    graph_.root.name = "root";
    graph_.root.ops = described.ops;
    graph_.root.children.push_back(std::move(described));
    return std::move(graph_);
  }

 private:
  std::size_t add(std::size_t index, Op op) {
    op.output.attrs = public_attrs(op.output.attrs);
    places_.emplace(index, graph_.ops.size());
    graph_.ops.push_back(std::move(op));
    return graph_.ops.size() - 1;
  }

  Op inner(const Op& op) const {
    Op plain{op.name, op.type, full_attrs(op), op.inputs, op.output};
    for (auto& [role, producers] : plain.inputs) {
      for (auto& producer : producers) producer = places_.at(producer);
    }
    return plain;
  }

  void add_outside_inputs(const Op& op) {
    for (const auto& [role, producers] : op.inputs) {
      for (const auto producer : producers) {
        if (inside_.count(producer) != 0 || places_.count(producer) != 0) continue;
        add(producer, source_of(file_.ops[producer]));
      }
    }
  }

  const Graph& file_;
  const Subgraph& child_;
  std::unordered_set<std::size_t> inside_;
  std::unordered_map<std::size_t, std::size_t> places_;  // of the file's ops in the description
  Graph graph_;
};

class Outliner {
 public:
  Outliner(const Graph& file, const std::string& type)
      : file_(file), type_(type), owners_(file.ops.size(), nobody), places_(file.ops.size()) {}

  Graph run() {
    const auto& children = file_.root.children;
    for (std::size_t child = 0; child < children.size(); ++child) {
      for (const auto op : children[child].ops) owners_[op] = child;
    }
    find_boundaries();
    graph_.name = file_.name;
    graph_.root.name = "root";
    Subgraph sources{sources_name(), {{"device", std::string("USER")}}, {}, {}};
    for (std::size_t op = 0; op < file_.ops.size(); ++op) {
      if (is_input_[op] && !is_output_[op]) sources.ops.push_back(add(op, source_of(file_.ops[op])));
    }
    add_child(std::move(sources));
    // Children are in an order in which they can run, so that what one reads has its place.
    for (const auto& child : children) {
      Subgraph outlined{child.name, small_attrs(child.attrs), {}, {}};
      for (const auto op : child.ops) {
        if (is_output_[op]) outlined.ops.push_back(add(op, outlined_op(op)));
      }
      add_child(std::move(outlined));
    }
    return std::move(graph_);
  }

 private:
  static constexpr std::size_t nobody = static_cast<std::size_t>(-1);

  bool is_dpu(std::size_t child) const { return child != nobody && file_.root.children[child].device() == "DPU"; }

  // As libxir counts them: read from outside, or by nobody.
  void find_boundaries() {
    std::vector<bool> is_read(file_.ops.size()), is_read_outside(file_.ops.size());
    is_input_.resize(file_.ops.size());
    is_output_.resize(file_.ops.size());
    inputs_.resize(file_.root.children.size());
    for (std::size_t reader = 0; reader < file_.ops.size(); ++reader) {
      for (const auto& [role, producers] : file_.ops[reader].inputs) {
        for (const auto producer : producers) {
          is_read[producer] = true;
          if (owners_[producer] == owners_[reader]) continue;
          is_read_outside[producer] = true;
          if (!is_dpu(owners_[reader]) || file_.ops[producer].is_constant()) continue;
          is_input_[producer] = true;
          inputs_[owners_[reader]].push_back(producer);
        }
      }
    }
    for (std::size_t op = 0; op < file_.ops.size(); ++op) {
      is_output_[op] = is_dpu(owners_[op]) && !file_.ops[op].is_constant() && (is_read_outside[op] || !is_read[op]);
    }
    for (auto& inputs : inputs_) {
      std::sort(inputs.begin(), inputs.end());
      inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
    }
  }

  std::size_t add(std::size_t op, Op outlined) {
    places_[op] = graph_.ops.size();
    graph_.ops.push_back(std::move(outlined));
    return places_[op];
  }

  Op outlined_op(std::size_t index) const {
    Op op = source_of(file_.ops[index]);
    op.type = type_;
    for (const auto input : inputs_[owners_[index]]) op.inputs["input"].push_back(places_[input]);
    return op;
  }

  // What a subgraph holds in bytes are its weights and instructions.
  static Attrs small_attrs(const Attrs& attrs) {
    Attrs small;
    for (const auto& [key, value] : attrs) {
      const bool holds_bytes = std::holds_alternative<Bytes>(value) ||
                               std::holds_alternative<std::vector<Bytes>>(value) ||
                               std::holds_alternative<std::map<std::string, Bytes>>(value);
      if (!holds_bytes) small.emplace(key, value);
    }
    return small;
  }

  std::string sources_name() const {
    std::string name = "nerone-sources";
    const auto& children = file_.root.children;
    while (std::any_of(children.begin(), children.end(), [&](const auto& child) { return child.name == name; })) {
      name += '_';
    }
    return name;
  }

  void add_child(Subgraph child) {
    if (child.ops.empty()) return;
    graph_.root.ops.insert(graph_.root.ops.end(), child.ops.begin(), child.ops.end());
    graph_.root.children.push_back(std::move(child));
  }

  const Graph& file_;
  const std::string& type_;
  std::vector<std::size_t> owners_;  // the root child of each op
  std::vector<std::size_t> places_;  // of the file's ops in the outline
  std::vector<bool> is_input_, is_output_;
  std::vector<std::vector<std::size_t>> inputs_;  // of each root child that is for the DPU
  Graph graph_;
};

}  // namespace

Graph describe(const Graph& file, const Subgraph& child) {
  check_family(child);
  return Describer(file, child).run();
}

Graph outline(const Graph& file, const std::string& type) { return Outliner(file, type).run(); }

}  // namespace nerone::xmodel
