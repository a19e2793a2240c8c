#include "softdpu/program.hpp"

#include <algorithm>
#include <nerone/error.hpp>
#include <set>
#include <utility>

#include "softdpu/attributes.hpp"
#include "softdpu/check_program.hpp"

namespace nerone::softdpu {

namespace {

constexpr std::int64_t max_elements = std::int64_t{1} << 31;

const std::set<std::string> copy_types{"upload",  "download", "reshape-fix", "reshape",
                                       "squeeze", "flatten",  "identity"};
const std::set<std::string> conv_types{"conv2d-fix", "depthwise-conv2d-fix", "transposed-conv2d-fix",
                                       "transposed-depthwise-conv2d-fix"};

DType dtype_of(const xmodel::Op& op) {
  const auto& name = op.output.data_type;
  if (name == "FLOAT32") return DType::float32;
  if (name != "XINT8" && name != "INT8")
    refuse(op, "data type " + name + " is not supported, expected XINT8 or FLOAT32");
  const auto width = op.output.attrs.find("bit_width");
  if (width != op.output.attrs.end() && xmodel::attr_or<std::int32_t>(op.output.attrs, "bit_width", 8) != 8) {
    refuse(op, "only tensors of 8 bits are supported");
  }
  return DType::int8;
}

Shape shape_of(const xmodel::Op& op) {
  Shape shape;
  std::int64_t count = 1;
  for (const auto extent : op.output.shape) {
    if (extent < 1) refuse(op, "output tensor has an extent of " + std::to_string(extent));
    count *= extent;
    if (count > max_elements) refuse(op, "output tensor is too large");
    shape.push_back(extent);
  }
  return shape;
}

Value value_of(const xmodel::Op& op) {
  Value value;
  value.name = op.output.name;
  value.shape = shape_of(op);
  value.dtype = dtype_of(op);
  if (value.dtype == DType::float32) return value;
  const auto fix_point = op.output.fix_point();
  if (!fix_point) refuse(op, "output tensor has no fix point");
  if (*fix_point < -128 || *fix_point > 127) {
    refuse(op, "fix point " + std::to_string(*fix_point) + " is out of range, expected -128 to 127");
  }
  value.fix_point = *fix_point;
  return value;
}

Int8Data constant_of(const xmodel::Op& op, const Value& value) {
  if (value.dtype != DType::int8) refuse(op, "a float constant inside a DPU subgraph is not supported");
  const auto data = xmodel::attr_or<xmodel::Bytes>(op.attrs, "data", {});
  if (data.size() != value.size_bytes()) {
    refuse(op, "holds " + std::to_string(data.size()) + " bytes of data, its shape " + to_string(value.shape) +
                   " needs " + std::to_string(value.size_bytes()));
  }
  return std::make_shared<std::vector<std::int8_t>>(data.begin(), data.end());
}

TensorInfo info_of(const Value& value) {
  TensorInfo info{value.name, value.shape, value.dtype, std::nullopt};
  if (value.dtype == DType::int8) info.fix_point = value.fix_point;
  return info;
}

// Parses the ops that the wanted outputs need, each once.
class Parser {
 public:
  explicit Parser(const xmodel::Graph& graph) : graph_(graph), value_of_op_(graph.ops.size(), absent) {}

  std::shared_ptr<const Program> parse(const std::vector<std::string>& outputs) {
    const auto targets = output_ops(outputs);
    const auto needed = reached_from(targets);
    for (std::size_t index = 0; index < graph_.ops.size(); ++index) {
      if (needed[index]) add(index);
    }
    for (const auto target : targets) program_.outputs.push_back(value_of_op_[target]);
    if (program_.outputs.empty()) throw ModelError("the DPU subgraph has no output");
    const auto by_name = [this](std::size_t a, std::size_t b) {
      return program_.values[a].name < program_.values[b].name;
    };
    std::sort(program_.inputs.begin(), program_.inputs.end(), by_name);
    std::sort(program_.outputs.begin(), program_.outputs.end(), by_name);
    check_program(program_);
    return std::make_shared<const Program>(std::move(program_));
  }

 private:
  static constexpr std::size_t absent = static_cast<std::size_t>(-1);

  std::vector<std::size_t> output_ops(const std::vector<std::string>& names) const {
    std::vector<std::size_t> targets;
    if (names.empty()) return unread_ops();
    for (const auto& name : names) {
      const auto found = std::find_if(graph_.ops.begin(), graph_.ops.end(),
                                      [&name](const xmodel::Op& op) { return op.output.name == name; });
      if (found == graph_.ops.end()) throw ModelError("no op of the DPU subgraph computes its output '" + name + "'");
      targets.push_back(static_cast<std::size_t>(found - graph_.ops.begin()));
    }
    return targets;
  }

  std::vector<std::size_t> unread_ops() const {
    std::vector<bool> read(graph_.ops.size(), false);
    for (const auto& op : graph_.ops) {
      for (const auto& [role, sources] : op.inputs) {
        for (const auto source : sources) read.at(source) = true;
      }
    }
    std::vector<std::size_t> targets;
    for (std::size_t index = 0; index < graph_.ops.size(); ++index) {
      if (!read[index] && !graph_.ops[index].is_data() && !graph_.ops[index].is_constant()) targets.push_back(index);
    }
    return targets;
  }

  // Inputs count as needed, so that a runner takes every buffer that the file names.
  std::vector<bool> reached_from(const std::vector<std::size_t>& targets) const {
    std::vector<bool> needed(graph_.ops.size(), false);
    for (const auto target : targets) needed[target] = true;
    for (std::size_t index = graph_.ops.size(); index-- > 0;) {
      const auto& op = graph_.ops[index];
      if (op.is_data()) needed[index] = true;
      if (!needed[index]) continue;
      for (const auto& [role, sources] : op.inputs) {
        for (const auto source : sources) {
          if (source >= index) refuse(op, "its inputs do not come before it");
          needed[source] = true;
        }
      }
    }
    return needed;
  }

  void add(std::size_t index) {
    const auto& op = graph_.ops[index];
    Value value = value_of(op);
    if (op.is_constant()) value.constant = constant_of(op, value);
    value_of_op_[index] = program_.values.size();
    if (op.is_data()) program_.inputs.push_back(value_of_op_[index]);
    program_.values.push_back(std::move(value));
    if (!op.is_data() && !op.is_constant()) add_step(op, value_of_op_[index]);
  }

  void add_step(const xmodel::Op& op, std::size_t output) {
    auto inputs = operands(op, "input");
    if (inputs.empty()) refuse(op, "has no input");
    Operation operation = parse_operation(op, inputs, program_.values[output]);
    program_.steps.push_back({op.name, std::move(operation), std::move(inputs), output});
  }

  std::vector<std::size_t> operands(const xmodel::Op& op, const std::string& role) const {
    std::vector<std::size_t> values;
    const auto found = op.inputs.find(role);
    if (found == op.inputs.end()) return values;
    for (const auto source : found->second) values.push_back(value_of_op_.at(source));
    return values;
  }

  const Value* operand(const xmodel::Op& op, const std::string& role) const {
    const auto values = operands(op, role);
    if (values.size() > 1) refuse(op, "has " + std::to_string(values.size()) + " inputs as " + role + ", expected one");
    return values.empty() ? nullptr : &program_.values[values.front()];
  }

  ConvOperands conv_operands(const xmodel::Op& op, const Value& input, const Value& output) const {
    const ConvOperands operands{&input, operand(op, "weights"), operand(op, "bias"), &output};
    if (operands.weights == nullptr) refuse(op, "has no weights");
    return operands;
  }

  Operation parse_operation(const xmodel::Op& op, const std::vector<std::size_t>& inputs, const Value& output) const {
    std::vector<const Value*> values;
    for (const auto input : inputs) values.push_back(&program_.values[input]);
    const Value& first = *values.front();
    if (op.type == "float2fix" || op.type == "fix") return parse_quantize(op, first, output);
    if (op.type == "fix2float") return parse_dequantize(op, first, output);
    if (copy_types.count(op.type) != 0) return parse_copy(op, first, output);
    for (const auto* value : values) require_int8(op, *value);
    require_int8(op, output);
    if (conv_types.count(op.type) != 0) return parse_conv(op, conv_operands(op, first, output));
    if (op.type == "pool-fix") return parse_pool(op, first, output);
    if (op.type == "eltwise-fix") return parse_eltwise(op, values, output);
    if (op.type == "concat-fix") return parse_concat(op, values, output);
    if (op.type == "upsample-fix") return parse_upsample(op, first, output);
    if (op.type == "downsample-fix") return parse_downsample(op, first, output);
    if (op.type == "pad-fix") return parse_pad(op, first, output);
    if (op.type == "tile-fix") return parse_tile(op, first, output);
    if (op.type == "reduction_max") return parse_reduction_max(op, first, output);
    if (op.type == "hard-sigmoid-fix") return parse_hard_sigmoid(op, first, output);
    refuse(op, "the software DPU does not know this op");
  }

  static void require_int8(const xmodel::Op& op, const Value& value) {
    if (value.dtype != DType::int8) refuse(op, "tensor '" + value.name + "' must be int8");
  }

  const xmodel::Graph& graph_;
  std::vector<std::size_t> value_of_op_;
  Program program_;
};

}  // namespace

std::vector<TensorInfo> Program::input_infos() const {
  std::vector<TensorInfo> infos;
  for (const auto input : inputs) infos.push_back(info_of(values[input]));
  return infos;
}

std::vector<TensorInfo> Program::output_infos() const {
  std::vector<TensorInfo> infos;
  for (const auto output : outputs) infos.push_back(info_of(values[output]));
  return infos;
}

std::shared_ptr<const Program> parse_program(const xmodel::Graph& graph, const std::vector<std::string>& outputs) {
  return Parser(graph).parse(outputs);
}

}  // namespace nerone::softdpu
