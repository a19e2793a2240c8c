#include "xmodel/encode.hpp"

#include "xmodel/attr_codec.hpp"
#include "xmodel/data_type.hpp"
#include "xmodel/op_registry.hpp"
#include "xmodel/schema.hpp"
#include "xmodel/wire.hpp"

namespace nerone::xmodel {

namespace {

void encode_tensor(wire::Writer& writer, const Tensor& tensor) {
  const auto type = DataType::from_name(tensor.data_type).value_or(DataType{});
  writer.bytes(schema::tensor::name, tensor.name);
  if (!tensor.shape.empty()) {
    writer.message(schema::tensor::extent, [&] {
      for (const auto extent : tensor.shape) writer.bare_varint(static_cast<std::uint64_t>(extent));
    });
  }
  writer.varint(schema::tensor::type, static_cast<std::uint64_t>(type.kind));
  writer.varint(schema::tensor::bit_width, static_cast<std::uint64_t>(type.bit_width));
  encode_attrs(writer, schema::tensor::attr, tensor.attrs);
}

// libxir takes the output of a custom op from two attributes.
Attrs with_shape_attrs(const Op& op) {
  Attrs attrs = op.attrs;
  attrs.emplace("shape", op.output.shape);
  attrs.emplace("data_type", op.output.data_type);
  return attrs;
}

void encode_op(wire::Writer& writer, const Graph& graph, const Op& op) {
  writer.bytes(schema::op::name, op.name);
  writer.bytes(schema::op::type, op.type);
  if (find_definition(op.type) == nullptr) {
    encode_attrs(writer, schema::op::attr, with_shape_attrs(op));
  } else {
    encode_attrs(writer, schema::op::attr, op.attrs);
  }
  for (const auto& [role, producers] : op.inputs) {
    writer.message(schema::op::input, [&, &role_name = role, &ops = producers] {
      writer.bytes(schema::input::role, role_name);
      for (const auto producer : ops) writer.bytes(schema::input::op, graph.ops[producer].name);
    });
  }
  writer.message(schema::op::output, [&] { encode_tensor(writer, op.output); });
}

void encode_subgraph(wire::Writer& writer, const Graph& graph, const Subgraph& subgraph) {
  writer.bytes(schema::subgraph::name, subgraph.name);
  encode_attrs(writer, schema::subgraph::attr, subgraph.attrs);
  if (subgraph.children.empty()) {
    for (const auto op : subgraph.ops) writer.bytes(schema::subgraph::op, graph.ops[op].name);
  }
  for (const auto& child : subgraph.children) {
    writer.message(schema::subgraph::child, [&] { encode_subgraph(writer, graph, child); });
  }
}

}  // namespace

std::string encode(const Graph& graph) {
  wire::Writer writer;
  writer.bytes(schema::graph::name, graph.name);
  for (const auto& op : graph.ops) {
    writer.message(schema::graph::op, [&] { encode_op(writer, graph, op); });
  }
  writer.message(schema::graph::root, [&] { encode_subgraph(writer, graph, graph.root); });
  encode_attrs(writer, schema::graph::attr, graph.attrs);
  return writer.take();
}

}  // namespace nerone::xmodel
