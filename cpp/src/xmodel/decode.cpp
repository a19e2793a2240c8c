#include "xmodel/decode.hpp"

#include <nerone/error.hpp>

#include "xmodel/attr_codec.hpp"
#include "xmodel/data_type.hpp"
#include "xmodel/schema.hpp"
#include "xmodel/wire.hpp"

namespace nerone::xmodel {

namespace {

// Weight of an op or a subgraph against the limit of items, as one needs the memory of many numbers.
constexpr std::size_t node_items = 64;

class Decoder {
 public:
  explicit Decoder(const Limits& limits) : limits_(limits), budget_(limits.max_items) {}

  RawGraph graph(wire::Message message);

 private:
  RawOp op(wire::Message message);
  RawInput input(wire::Message message);
  Tensor tensor(wire::Message message);
  RawSubgraph subgraph(wire::Message message, int depth);
  std::string text(const wire::Field& field);

  const Limits& limits_;
  wire::Budget budget_;
};

std::string Decoder::text(const wire::Field& field) {
  budget_.take(1);
  return field.text();
}

RawGraph Decoder::graph(wire::Message message) {
  RawGraph graph;
  for (wire::Field field; message.next(field);) {
    switch (field.number) {
      case schema::graph::name:
        graph.name = text(field);
        break;
      case schema::graph::op:
        if (graph.ops.size() == limits_.max_ops) {
          throw ModelError("the graph has more than " + std::to_string(limits_.max_ops) + " ops");
        }
        graph.ops.push_back(op(field.message()));
        break;
      case schema::graph::root:
        if (graph.root) throw ModelError("the graph has two root subgraphs");
        graph.root = subgraph(field.message(), 0);
        break;
      case schema::graph::attr:
        decode_attr_entry(field.message(), budget_, graph.attrs);
        break;
      default:
        break;
    }
  }
  return graph;
}

RawOp Decoder::op(wire::Message message) {
  budget_.take(node_items);
  RawOp raw;
  bool has_output = false;
  for (wire::Field field; message.next(field);) {
    switch (field.number) {
      case schema::op::name:
        raw.op.name = text(field);
        break;
      case schema::op::type:
        raw.op.type = text(field);
        break;
      case schema::op::attr:
        decode_attr_entry(field.message(), budget_, raw.op.attrs);
        break;
      case schema::op::input:
        raw.inputs.push_back(input(field.message()));
        break;
      case schema::op::output:
        if (has_output) throw ModelError("op '" + raw.op.name + "' has two output tensors");
        raw.op.output = tensor(field.message());
        has_output = true;
        break;
      default:
        break;
    }
  }
  if (!has_output) throw ModelError("op '" + raw.op.name + "' has no output tensor");
  return raw;
}

RawInput Decoder::input(wire::Message message) {
  budget_.take(node_items / 8);
  RawInput input;
  for (wire::Field field; message.next(field);) {
    if (field.number == schema::input::role) input.role = text(field);
    if (field.number == schema::input::op) input.ops.push_back(text(field));
  }
  return input;
}

Tensor Decoder::tensor(wire::Message message) {
  Tensor tensor;
  std::int32_t kind = 0;
  std::int32_t bit_width = 0;
  const auto push_extent = [&](std::uint64_t extent) {
    budget_.take(1);
    tensor.shape.push_back(static_cast<std::int32_t>(extent));
  };
  for (wire::Field field; message.next(field);) {
    switch (field.number) {
      case schema::tensor::name:
        tensor.name = text(field);
        break;
      case schema::tensor::extent:
        if (field.type == wire::Type::bytes) {
          for (auto packed = field.message(); !packed.at_end();) push_extent(packed.varint());
        } else {
          push_extent(field.varint());
        }
        break;
      case schema::tensor::type:
        kind = static_cast<std::int32_t>(field.varint());
        break;
      case schema::tensor::bit_width:
        bit_width = static_cast<std::int32_t>(field.varint());
        break;
      case schema::tensor::attr:
        decode_attr_entry(field.message(), budget_, tensor.attrs);
        break;
      default:
        break;
    }
  }
  const auto type = DataType::from_file(kind, bit_width);
  if (!type) {
    throw ModelError("tensor '" + tensor.name + "' has data type number " + std::to_string(kind) + " of " +
                     std::to_string(bit_width) + " bits, which is none of XIR's");
  }
  tensor.data_type = type->name();
  return tensor;
}

RawSubgraph Decoder::subgraph(wire::Message message, int depth) {
  if (depth > limits_.max_subgraph_depth) {
    throw ModelError("subgraphs are nested deeper than " + std::to_string(limits_.max_subgraph_depth));
  }
  budget_.take(node_items);
  RawSubgraph raw;
  for (wire::Field field; message.next(field);) {
    switch (field.number) {
      case schema::subgraph::name:
        raw.name = text(field);
        break;
      case schema::subgraph::op:
        raw.ops.push_back(text(field));
        break;
      case schema::subgraph::attr:
        decode_attr_entry(field.message(), budget_, raw.attrs);
        break;
      case schema::subgraph::child:
        raw.children.push_back(subgraph(field.message(), depth + 1));
        break;
      default:
        break;
    }
  }
  return raw;
}

}  // namespace

RawGraph decode(std::string_view file, const Limits& limits) {
  return Decoder(limits).graph(wire::Message(file, file.data()));
}

}  // namespace nerone::xmodel
