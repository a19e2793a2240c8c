#include "xmodel/describe.hpp"

#include <algorithm>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <xir/attrs/attrs.hpp>
#include <xir/graph/subgraph.hpp>
#include <xir/op/op.hpp>
#include <xir/tensor/tensor.hpp>

#include "xmodel/check.hpp"
#include "xmodel/libxir.hpp"
#include "xmodel/outline.hpp"
#include "xmodel/registers.hpp"

namespace nerone::xmodel {

namespace {

template <std::size_t... Index>
std::optional<Attr> to_attr(const std::any& value, std::index_sequence<Index...>) {
  std::optional<Attr> attr;
  const auto try_type = [&](const auto* typed) {
    if (typed != nullptr) attr.emplace(*typed);
    return typed != nullptr;
  };
  (try_type(std::any_cast<std::variant_alternative_t<Index, Attr>>(&value)) || ...);
  return attr;
}

// Values of types that no file can hold, and libxir's private ones, are left out.
Attrs to_attrs(const xir::Attrs* attrs) {
  Attrs plain;
  if (attrs == nullptr) return plain;
  for (const auto& key : attrs->get_keys()) {
    if (key.compare(0, 2, "__") == 0) continue;
    auto attr = to_attr(attrs->get_attr(key), std::make_index_sequence<std::variant_size_v<Attr>>());
    if (attr) plain.emplace(key, std::move(*attr));
  }
  return plain;
}

Tensor to_tensor(const xir::Tensor* tensor) {
  return {tensor->get_name(), tensor->get_shape(), tensor->get_data_type().to_string(),
          to_attrs(tensor->get_attrs().get())};
}

class Describer {
 public:
  explicit Describer(const xir::Subgraph* subgraph) : subgraph_(subgraph) {}

  Graph run() {
    graph_.name = subgraph_->get_name();
    Subgraph described{subgraph_->get_name(), to_attrs(subgraph_->get_attrs().get()), {}, {}};
    check_family(described);
    for (const auto* op : ordered_ops()) {
      add_outside_inputs(op);
      described.ops.push_back(add(op, op->get_type()));
    }
    check_ops(graph_, Limits{});
    for (auto& op : graph_.ops) fill_constant(op, described);
    graph_.root.name = "root";
    graph_.root.ops = described.ops;
    graph_.root.children.push_back(std::move(described));
    return std::move(graph_);
  }

 private:
  // A subgraph's own topological_sort() copies its set of ops for each of them.
  std::vector<const xir::Op*> ordered_ops() const {
    const auto inside = subgraph_->get_ops();
    std::vector<const xir::Op*> ordered;
    for (const auto* op : subgraph_->get_graph()->topological_sort()) {
      if (inside.count(op) != 0) ordered.push_back(op);
    }
    return ordered;
  }

  std::size_t add(const xir::Op* op, const std::string& type) {
    Op plain{op->get_name(), type, to_attrs(op->get_attrs().get()), {}, to_tensor(op->get_output_tensor())};
    if (indices_.count(plain.name) != 0) throw ModelError("two ops have the name '" + plain.name + "'");
    const bool is_source = type != op->get_type();
    for (const auto& [role, producers] : op->get_input_ops()) {
      for (const auto* producer : producers) {
        if (!is_source) plain.inputs[role].push_back(indices_.at(producer->get_name()));
      }
    }
    if (is_source) plain.attrs = {{"shape", plain.output.shape}, {"data_type", plain.output.data_type}};
    indices_.emplace(plain.name, graph_.ops.size());
    graph_.ops.push_back(std::move(plain));
    return graph_.ops.size() - 1;
  }

  void add_outside_inputs(const xir::Op* op) {
    for (const auto& [role, producers] : op->get_input_ops()) {
      for (const auto* producer : producers) {
        if (indices_.count(producer->get_name()) != 0 || subgraph_->has_op(producer)) continue;
        const auto type = producer->get_type();
        const bool is_constant_op = type == "const" || type == "const-fix";
        const bool is_fixed = producer->get_output_tensor()->has_attr("fix_point");
        add(producer, is_constant_op ? type : is_fixed ? "data-fix" : "data");
      }
    }
  }

  const xir::Subgraph* subgraph_;
  Graph graph_;
  std::unordered_map<std::string, std::size_t> indices_;
};

struct Origin {
  std::shared_ptr<const Graph> file;
  const Subgraph* child = nullptr;
};

struct Origins {
  std::mutex mutex;
  std::unordered_map<const xir::Subgraph*, Origin> by_subgraph;
};

Origins& origins() {
  static Origins known;
  return known;
}

Origin origin_of(const xir::Subgraph* subgraph) {
  auto& known = origins();
  const std::lock_guard lock(known.mutex);
  const auto found = known.by_subgraph.find(subgraph);
  return found == known.by_subgraph.end() ? Origin{} : found->second;
}

}  // namespace

void remember_origin(const xir::Subgraph* outlined, std::shared_ptr<const Graph> file, const Subgraph& child) {
  auto& known = origins();
  const std::lock_guard lock(known.mutex);
  known.by_subgraph[outlined] = {std::move(file), &child};
}

void forget_origin(const xir::Subgraph* outlined) {
  auto& known = origins();
  const std::lock_guard lock(known.mutex);
  known.by_subgraph.erase(outlined);
}

Graph describe(const xir::Subgraph* subgraph) {
  if (const auto origin = origin_of(subgraph); origin.child != nullptr) return describe(*origin.file, *origin.child);
  return call_libxir([&] { return Describer(subgraph).run(); });
}

std::int64_t int_attr_or(xir::Attrs* attrs, const std::string& key, std::int64_t fallback) {
  return call_libxir([&]() -> std::int64_t {
    if (attrs == nullptr || !attrs->has_attr(key)) return fallback;
    const auto& value = attrs->get_attr(key);
    if (const auto* number = std::any_cast<std::int32_t>(&value)) return *number;
    if (const auto* number = std::any_cast<std::uint32_t>(&value)) return *number;
    if (const auto* number = std::any_cast<std::int64_t>(&value)) return *number;
    if (const auto* number = std::any_cast<std::uint64_t>(&value)) return static_cast<std::int64_t>(*number);
    if (const auto* flag = std::any_cast<bool>(&value)) return *flag ? 1 : 0;
    throw ConfigurationError("option '" + key + "' is no integer; give it one");
  });
}

std::string string_attr_or(xir::Attrs* attrs, const std::string& key, const std::string& fallback) {
  return call_libxir([&] {
    if (attrs == nullptr || !attrs->has_attr(key)) return fallback;
    if (const auto* text = std::any_cast<std::string>(&attrs->get_attr(key))) return *text;
    throw ConfigurationError("option '" + key + "' is no text; give it one");
  });
}

}  // namespace nerone::xmodel
