#include <algorithm>
#include <cstdlib>
#include <iomanip>
#include <nerone/error.hpp>
#include <sstream>
#include <unordered_set>

#include "xmodel/check.hpp"
#include "xmodel/data_type.hpp"
#include "xmodel/op_registry.hpp"
#include "xmodel/texts.hpp"

namespace nerone::xmodel {

namespace {

constexpr std::size_t max_rank = 16;
constexpr std::size_t max_name_bytes = 1024;  // libxir copies names whenever it looks one up

[[noreturn]] void refuse(const Op& op, const std::string& what) {
  throw ModelError("op '" + op.name + "' (" + op.type + ") " + what);
}

std::string plain(const Attr& attr) { return std::string("type ") + type_name(attr); }

std::size_t list_length(const Attr& attr) {
  if (const auto* list = std::get_if<std::vector<std::int32_t>>(&attr)) return list->size();
  if (const auto* list = std::get_if<std::vector<float>>(&attr)) return list->size();
  return 0;
}

void check_attr(const Op& op, const AttrDefinition& definition) {
  const auto found = op.attrs.find(definition.name);
  if (found == op.attrs.end()) {
    if (definition.required) refuse(op, "lacks attribute '" + definition.name + "', which XIR requires");
    return;
  }
  const std::string type = type_name(found->second);
  const bool fits = type == definition.type || (definition.type == "float32s" && type == "int32s");
  if (!fits) {
    refuse(op, "has attribute '" + definition.name + "' of " + plain(found->second) + ", expected " + definition.type);
  }
  if (definition.length != 0 && list_length(found->second) != definition.length) {
    refuse(op, "has " + std::to_string(list_length(found->second)) + " numbers in attribute '" + definition.name +
                   "', expected " + std::to_string(definition.length));
  }
}

void check_positive(const Op& op, const char* key) {
  const auto found = op.attrs.find(key);
  if (found == op.attrs.end()) return;
  const auto* numbers = std::get_if<std::vector<std::int32_t>>(&found->second);
  if (numbers == nullptr) return;
  for (const auto number : *numbers) {
    if (number < 1) refuse(op, "has " + std::to_string(number) + " in attribute '" + key + "', expected at least 1");
  }
}

void check_inputs(const Graph& graph, std::size_t index, const OpDefinition* definition) {
  const Op& op = graph.ops[index];
  for (const auto& [role, producers] : op.inputs) {
    if (!is_utf8(role)) refuse(op, "has an input role whose name is not UTF-8");
    for (const auto producer : producers) {
      if (producer >= index) refuse(op, "reads an op that does not come before it");
    }
    const bool known = definition == nullptr
                           ? role == "input"
                           : std::any_of(definition->roles.begin(), definition->roles.end(),
                                         [&name = role](const auto& candidate) { return candidate.name == name; });
    if (!known && !producers.empty()) refuse(op, "has an input role '" + role + "', which XIR does not know");
  }
  if (definition == nullptr) return;
  for (const auto& role : definition->roles) {
    const auto found = op.inputs.find(role.name);
    const auto count = found == op.inputs.end() ? 0 : found->second.size();
    const bool fits = role.occurrence == Occurrence::one        ? count == 1
                      : role.occurrence == Occurrence::optional ? count <= 1
                                                                : count >= 1;
    if (!fits) refuse(op, "has " + std::to_string(count) + " inputs in the role '" + role.name + "'");
  }
}

void check_tensor(const Op& op, const Limits& limits) {
  const Tensor& tensor = op.output;
  const auto type = DataType::from_name(tensor.data_type);
  if (tensor.name.empty() || !is_utf8(tensor.name)) refuse(op, "has an output tensor without a proper name");
  if (!type) refuse(op, "has an output of data type '" + tensor.data_type + "', which is none of XIR's");
  if (tensor.shape.empty() || tensor.shape.size() > max_rank) {
    refuse(op, "has an output of " + std::to_string(tensor.shape.size()) + " axes, expected 1 to 16");
  }
  std::int64_t elements = 1;
  const auto most = static_cast<std::int64_t>(limits.max_tensor_bytes);
  for (const auto extent : tensor.shape) {
    if (extent < 1) refuse(op, "has an output with extent " + std::to_string(extent) + ", expected at least 1");
    if (extent > most / elements) refuse(op, "has an output larger than " + std::to_string(most) + " bytes");
    elements *= extent;
  }
  if (size_bytes(*type, elements) > most) refuse(op, "has an output larger than " + std::to_string(most) + " bytes");
  try {
    const auto fix_point = tensor.fix_point();
    if (fix_point && (*fix_point < -128 || *fix_point > 127)) {
      refuse(op, "has the fix point " + std::to_string(*fix_point) + ", expected -128 to 127");
    }
  } catch (const ModelError& error) {
    refuse(op, std::string("has an output whose ") + error.what());
  }
  check_texts(tensor.attrs, "tensor '" + tensor.name + "'");
}

// Attributes from which libxir takes the shape and data type of an op without inputs, and of every custom op.
void check_shape_attr(const Op& op) {
  check_positive(op, "shape");
  const auto found = op.attrs.find("data_type");
  if (found == op.attrs.end()) return;
  const auto* name = std::get_if<std::string>(&found->second);
  if (name == nullptr) refuse(op, "has attribute 'data_type' of " + plain(found->second) + ", expected text");
  if (!DataType::from_name(*name)) refuse(op, "has attribute 'data_type' " + *name + ", which is none of XIR's");
}

void check_constant(const Op& op) {
  if (!op.is_constant()) return;
  const auto size = std::get<Bytes>(op.attrs.at("data")).size();
  const auto needed = size_bytes(*DataType::from_name(op.output.data_type), op.output.element_count());
  if (size != 0 && static_cast<std::int64_t>(size) != needed) {
    refuse(op, "has " + std::to_string(size) + " bytes of data, its shape needs " + std::to_string(needed));
  }
}

void check_op(const Graph& graph, std::size_t index, const Limits& limits) {
  const Op& op = graph.ops[index];
  if (!is_utf8(op.name) || !is_utf8(op.type)) throw ModelError("an op's name or type is not UTF-8");
  if (op.name.empty()) throw ModelError("an op of type '" + op.type + "' has no name");
  if (op.type.empty()) refuse(op, "has no type");
  if (op.name.size() > max_name_bytes) throw ModelError("an op's name has more than 1024 bytes");
  check_texts(op.attrs, "op '" + op.name + "'");
  check_tensor(op, limits);
  const auto* definition = find_definition(op.type);
  check_inputs(graph, index, definition);
  if (definition != nullptr) {
    for (const auto& attr : definition->attrs) check_attr(op, attr);
  }
  const bool makes_its_shape = definition == nullptr || definition->roles.empty();
  if (makes_its_shape) check_shape_attr(op);
  if (definition != nullptr && op.type != "avgpool2d" && op.type != "maxpool2d") {
    for (const char* key : {"kernel", "stride", "dilation"}) check_positive(op, key);
  }
  check_constant(op);
}

// Limit on the memory of all tensors of one model: the environment's NERONE_MAX_MEMORY in bytes, which --max-memory
// sets, else 1 GiB, 30 times what the largest published network for a DPU takes. The plug-in asks in its own library.
std::size_t max_memory_bytes() {
  constexpr std::size_t usual = std::size_t{1} << 30;
  const char* text = std::getenv("NERONE_MAX_MEMORY");
  if (text == nullptr || *text == '\0') return usual;
  char* end = nullptr;
  const auto bytes = std::strtoull(text, &end, 10);
  if (*end != '\0' || *text == '-' || bytes == 0) {
    throw ConfigurationError(std::string("NERONE_MAX_MEMORY is '") + text + "', expected a number of bytes");
  }
  return static_cast<std::size_t>(bytes);
}

std::string in_gigabytes(double bytes) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(bytes < 1e8 ? 3 : 1) << bytes / 1e9 << " GB";
  return text.str();
}

// A tensor is at most a gigabyte and there are thousands at most, so the sum does not overflow. Constants stand in the
// file, whose size is limited.
void check_memory(const Graph& graph) {
  std::int64_t bytes = 0;
  for (const auto& op : graph.ops) {
    if (op.is_constant()) continue;
    bytes += size_bytes(*DataType::from_name(op.output.data_type), op.output.element_count());
  }
  const auto most = max_memory_bytes();
  if (static_cast<std::uint64_t>(bytes) <= most) return;
  throw ModelError("its tensors take " + in_gigabytes(static_cast<double>(bytes)) + ", more than the limit of " +
                   in_gigabytes(static_cast<double>(most)) +
                   "; where you trust the file, raise the limit with --max-memory, or NERONE_MAX_MEMORY in bytes");
}

// Runners, VART and the engines find tensors by their names.
void check_names(const Graph& graph) {
  std::unordered_set<std::string> ops, tensors;
  for (const auto& op : graph.ops) {
    if (!ops.insert(op.name).second) throw ModelError("two ops have the name '" + op.name + "'");
    if (!tensors.insert(op.output.name).second) {
      throw ModelError("two ops, one of them '" + op.name + "', write a tensor of the name '" + op.output.name + "'");
    }
  }
}

}  // namespace

void check_libxir_ops(const Graph& graph) {
  constexpr std::size_t most = 4096;  // many seconds
  if (graph.ops.size() <= most) return;
  throw ModelError("the graph has " + std::to_string(graph.ops.size()) + " ops, libxir is given at most " +
                   std::to_string(most) +
                   ", since it takes minutes for more; use device 'softdpu', or split the network");
}

void check_ops(const Graph& graph, const Limits& limits) {
  if (graph.ops.empty()) throw ModelError("the graph has no ops");
  if (graph.ops.size() > limits.max_ops) {
    throw ModelError("the graph has more than " + std::to_string(limits.max_ops) + " ops");
  }
  if (!is_utf8(graph.name)) throw ModelError("the graph's name is not UTF-8");
  check_texts(graph.attrs, "the graph");
  check_names(graph);
  for (std::size_t index = 0; index < graph.ops.size(); ++index) check_op(graph, index, limits);
  check_memory(graph);
}

}  // namespace nerone::xmodel
