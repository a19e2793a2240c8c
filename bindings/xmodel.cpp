#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <map>
#include <nerone/error.hpp>
#include <nerone/xmodel.hpp>
#include <set>

#include "attributes.hpp"
#include "register.hpp"
#include "waiting.hpp"
#include "xmodel/registers.hpp"

namespace py = pybind11;

namespace nerone::bindings {

namespace {

py::dict from_op(const xmodel::Graph& graph, const xmodel::Op& op) {
  using namespace py::literals;
  py::dict inputs;
  for (const auto& [role, sources] : op.inputs) {
    py::list names;
    for (const auto source : sources) names.append(graph.ops[source].name);
    inputs[py::str(role)] = names;
  }
  const auto& tensor = op.output;
  return py::dict("name"_a = op.name, "type"_a = op.type, "attrs"_a = from_attrs(op.attrs), "inputs"_a = inputs,
                  "output"_a = py::dict("name"_a = tensor.name, "shape"_a = tensor.shape,
                                        "data_type"_a = tensor.data_type, "attrs"_a = from_attrs(tensor.attrs)));
}

py::dict from_subgraph(const xmodel::Graph& graph, const xmodel::Subgraph& subgraph) {
  using namespace py::literals;
  py::list ops, children;
  for (const auto op : subgraph.ops) ops.append(graph.ops[op].name);
  for (const auto& child : subgraph.children) children.append(from_subgraph(graph, child));
  return py::dict("name"_a = subgraph.name, "attrs"_a = from_attrs(subgraph.attrs), "ops"_a = ops,
                  "children"_a = children);
}

// A field of the schema, of the Python type that it must have.
template <typename T>
T field(const py::dict& dict, const char* key, const std::string& where) {
  if (!dict.contains(key)) throw ModelError(where + " has no '" + key + "'");
  try {
    return dict[key].cast<T>();
  } catch (const py::cast_error&) {
    throw ModelError(where + ": '" + key + "' is a " + std::string(py::str(py::type::of(dict[key]).attr("__name__"))) +
                     ", which is not what the schema says");
  }
}

xmodel::Attrs attrs_field(const py::dict& dict) {
  return dict.contains("attrs") ? to_attrs(dict["attrs"]) : xmodel::Attrs{};
}

using Indices = std::map<std::string, std::size_t>;

std::size_t index_of(const Indices& indices, const std::string& op, const std::string& where) {
  const auto found = indices.find(op);
  if (found == indices.end()) throw ModelError(where + " names op '" + op + "', which no earlier op of the graph has");
  return found->second;
}

xmodel::Op to_op(const py::dict& dict, const Indices& indices) {
  xmodel::Op op;
  op.name = field<std::string>(dict, "name", "an op");
  const auto where = "op '" + op.name + "'";
  op.type = field<std::string>(dict, "type", where);
  op.attrs = attrs_field(dict);
  if (dict.contains("inputs")) {
    for (const auto& [role, names] : field<std::map<std::string, std::vector<std::string>>>(dict, "inputs", where)) {
      for (const auto& name : names) op.inputs[role].push_back(index_of(indices, name, where));
    }
  }
  const auto output = field<py::dict>(dict, "output", where);
  op.output.name = output.contains("name") ? field<std::string>(output, "name", where) : op.name;
  op.output.shape = field<std::vector<std::int32_t>>(output, "shape", where);
  op.output.data_type = field<std::string>(output, "data_type", where);
  op.output.attrs = attrs_field(output);
  return op;
}

xmodel::Subgraph to_subgraph(const py::dict& dict, const Indices& indices) {
  xmodel::Subgraph subgraph;
  subgraph.name = field<std::string>(dict, "name", "a subgraph");
  const auto where = "subgraph '" + subgraph.name + "'";
  subgraph.attrs = attrs_field(dict);
  std::set<std::size_t> ops;
  if (dict.contains("ops")) {
    for (const auto& name : field<std::vector<std::string>>(dict, "ops", where))
      ops.insert(index_of(indices, name, where));
  }
  if (dict.contains("children")) {
    for (const auto& child : field<std::vector<py::dict>>(dict, "children", where)) {
      subgraph.children.push_back(to_subgraph(child, indices));
      ops.insert(subgraph.children.back().ops.begin(), subgraph.children.back().ops.end());
    }
  }
  subgraph.ops.assign(ops.begin(), ops.end());
  return subgraph;
}

xmodel::Graph to_graph(const py::dict& dict) {
  xmodel::Graph graph;
  graph.name = field<std::string>(dict, "name", "the graph");
  graph.attrs = attrs_field(dict);
  Indices indices;
  for (const auto& op : field<std::vector<py::dict>>(dict, "ops", "the graph")) {
    graph.ops.push_back(to_op(op, indices));
    if (!indices.emplace(graph.ops.back().name, graph.ops.size() - 1).second) {
      throw ModelError("the graph has two ops named '" + graph.ops.back().name + "'");
    }
  }
  graph.root = to_subgraph(field<py::dict>(dict, "root", "the graph"), indices);
  return graph;
}

py::dict read_xmodel(const std::filesystem::path& file, bool any_family) {
  xmodel::Graph graph;
  {
    const ReleaseGil release;
    graph = xmodel::read(file);
    if (!any_family) xmodel::check_family(graph, file);
  }
  return from_graph(graph);
}

void write_xmodel(const py::dict& dict, const std::filesystem::path& file) {
  const auto graph = to_graph(dict);
  const ReleaseGil release;
  xmodel::write(graph, file);
}

}  // namespace

py::dict from_graph(const xmodel::Graph& graph) {
  using namespace py::literals;
  py::list ops;
  for (const auto& op : graph.ops) ops.append(from_op(graph, op));
  return py::dict("name"_a = graph.name, "attrs"_a = from_attrs(graph.attrs), "ops"_a = ops,
                  "root"_a = from_subgraph(graph, graph.root));
}

void register_xmodel(py::module_& module) {
  register_number_types(module);
  module.def(
      "read_xmodel", &read_xmodel, py::arg("path"), py::arg("any_family") = false,
      "Read and check a model file; return it as plain values. ModelError for another family of DPUs, unless asked.");
  module.def("write_xmodel", &write_xmodel, py::arg("graph"), py::arg("path"),
             "Write a graph of plain values as a model file.");
}

}  // namespace nerone::bindings
