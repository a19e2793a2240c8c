#include "xmodel/registers.hpp"

#include <nerone/error.hpp>

#include "xmodel/data_type.hpp"

namespace nerone::xmodel {

namespace {

constexpr const char* register_attr = "reg_id_to_parameter_value";
constexpr const char* supported_family = "DPUCZDX8G";

std::string dpu_name(const Subgraph& subgraph) { return attr_or<std::string>(subgraph.attrs, "dpu_name", {}); }

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

}  // namespace

bool has_plain_registers(const Subgraph& subgraph) { return starts_with(dpu_name(subgraph), supported_family); }

void check_family(const Subgraph& subgraph) {
  const auto name = dpu_name(subgraph);
  // Every DPU of the vendor is named DPU, C(NN) or R(NN), its memory, numbers and ratio; ours is not.
  const bool vendors = starts_with(name, "DPUC") || starts_with(name, "DPUR");
  if (!vendors || starts_with(name, supported_family)) return;
  throw ModelError("subgraph '" + subgraph.name + "' was compiled for the DPU family of " + name +
                   ", which keeps its weights in another order; compile the model for a " + supported_family +
                   " (ZCU104, KV260, Ultra96)");
}

void check_family(const Graph& graph) {
  for (const auto& child : graph.root.children) {
    if (child.device() == "DPU") check_family(child);
  }
}

void check_family(const Graph& graph, const std::filesystem::path& file) {
  try {
    check_family(graph);
  } catch (const ModelError& error) {
    throw ModelError("'" + file.string() + "': " + error.what());
  }
}

Span find_in_register(const Op& op, const Subgraph& subgraph) {
  const std::string start = "constant '" + op.name + "' ";
  const auto& attrs = op.output.attrs;
  if (attrs.count("reg_id") == 0 || attrs.count("ddr_addr") == 0) {
    throw ModelError(start + "has no data, and no place in a register");
  }
  const auto reg = "REG_" + std::to_string(attr_or<std::int32_t>(attrs, "reg_id", 0));
  const auto address = attr_or<std::int32_t>(attrs, "ddr_addr", 0);
  const auto size =
      size_bytes(DataType::from_name(op.output.data_type).value_or(DataType{}), op.output.element_count());
  const auto found = subgraph.attrs.find(register_attr);
  const auto* registers =
      found == subgraph.attrs.end() ? nullptr : std::get_if<std::map<std::string, Bytes>>(&found->second);
  if (registers == nullptr || registers->count(reg) == 0) {
    throw ModelError(start + "lies in register " + reg + ", which subgraph '" + subgraph.name + "' does not have");
  }
  const auto& bytes = registers->at(reg);
  const auto end = static_cast<std::int64_t>(bytes.size());
  if (address < 0 || address > end || size > end - address) {
    throw ModelError(start + "of " + std::to_string(size) + " bytes at " + std::to_string(address) +
                     " does not fit into register " + reg + " of " + std::to_string(end) + " bytes");
  }
  return {bytes.data() + address, static_cast<std::size_t>(size)};
}

void fill_constant(Op& op, const Subgraph& subgraph) {
  if (!op.is_constant()) return;
  auto& data = std::get<Bytes>(op.attrs.at("data"));
  op.attrs[from_register_attr] = data.empty();
  if (!data.empty()) return;
  const auto span = find_in_register(op, subgraph);
  data.assign(span.data, span.data + span.size_bytes);
}

}  // namespace nerone::xmodel
