#include "graph_builder.hpp"

#include <algorithm>
#include <utility>

namespace nerone::softdpu::testing {

std::size_t GraphBuilder::add(xmodel::Op op, Dims shape, const std::string& data_type) {
  op.output.name = op.name;
  op.output.shape = std::move(shape);
  op.output.data_type = data_type;
  graph.ops.push_back(std::move(op));
  return graph.ops.size() - 1;
}

std::size_t GraphBuilder::input(const std::string& name, Dims shape, int fix_point) {
  xmodel::Op op{name, "data-fix", {{"shape", shape}, {"data_type", std::string("XINT8")}}, {}, {}};
  op.output.attrs = {{"fix_point", std::int32_t{fix_point}}, {"bit_width", std::int32_t{8}}};
  return add(std::move(op), shape, "XINT8");
}

std::size_t GraphBuilder::float_input(const std::string& name, Dims shape) {
  return add({name, "data", {{"shape", shape}, {"data_type", std::string("FLOAT32")}}, {}, {}}, shape, "FLOAT32");
}

std::size_t GraphBuilder::constant(const std::string& name, Dims shape, int fix_point, const Bytes8& values) {
  const auto index = input(name, std::move(shape), fix_point);
  graph.ops[index].type = "const-fix";
  graph.ops[index].attrs["data"] = xmodel::Bytes(values.begin(), values.end());
  return index;
}

std::size_t GraphBuilder::op(const std::string& type, const std::string& name, Dims shape, int fix_point,
                             xmodel::Attrs attrs, std::map<std::string, std::vector<std::size_t>> inputs) {
  xmodel::Op op{name, type, std::move(attrs), std::move(inputs), {}};
  op.output.attrs = {{"fix_point", std::int32_t{fix_point}}, {"bit_width", std::int32_t{8}}};
  return add(std::move(op), std::move(shape), "XINT8");
}

std::size_t GraphBuilder::conv(const std::string& name, std::size_t source, Dims shape, int fix_point, Dims kernel,
                               const Bytes8& weights, int weights_fix_point, const std::string& nonlinear) {
  const auto channels = graph.ops[source].output.shape[3];
  const auto w = constant(name + "_w", {shape[3], kernel[1], kernel[0], channels}, weights_fix_point, weights);
  const xmodel::Attrs attrs{{"kernel", kernel},
                            {"stride", Dims{1, 1}},
                            {"pad", Dims{0, 0, 0, 0}},
                            {"dilation", Dims{1, 1}},
                            {"pad_mode", std::string("FLOOR")},
                            {"nonlinear", nonlinear}};
  return op("conv2d-fix", name, std::move(shape), fix_point, attrs, {{"input", {source}}, {"weights", {w}}});
}

xmodel::Graph GraphBuilder::file(const std::string& dpu_name) const {
  using Text = std::string;
  auto whole = graph;
  whole.name = "test";
  whole.root.name = "root";
  xmodel::Subgraph user{"in", {{"device", Text("USER")}}, {}, {}};
  xmodel::Subgraph dpu{"dpu", {{"device", Text("DPU")}, {"dpu_name", dpu_name}}, {}, {}};
  dpu.attrs["runner"] = std::map<Text, Text>{{"run", "libnerone_softdpu.so"}};
  for (std::size_t index = 0; index < whole.ops.size(); ++index) {
    const bool is_input = whole.ops[index].type == "data" || whole.ops[index].type == "data-fix";
    (is_input ? user : dpu).ops.push_back(index);
    whole.root.ops.push_back(index);
  }
  whole.root.children = {user, dpu};
  return whole;
}

std::vector<Kernels> engines() { return available_kernels(); }

std::string test_name_of(Kernels kernels) {
  std::string name = name_of(kernels);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

Bytes8 random_bytes(std::size_t count, std::uint32_t seed) {
  std::mt19937 generator(seed);
  Bytes8 bytes(count);
  for (auto& byte : bytes) byte = static_cast<std::int8_t>(static_cast<int>(generator() % 256) - 128);
  return bytes;
}

Bytes8 run(const xmodel::Graph& graph, Kernels kernels, const std::vector<Bytes8>& inputs) {
  EngineOptions options;
  options.kernels = kernels;
  const auto engine = make_engine(graph, options);
  const auto context = engine->make_context();
  std::vector<const void*> from;
  for (const auto& input : inputs) from.push_back(input.data());
  std::size_t size = 1;
  for (const auto extent : engine->outputs().front().shape) size *= static_cast<std::size_t>(extent);
  Bytes8 output(size, std::int8_t{99});
  void* to = output.data();
  engine->run(*context, from.data(), &to);
  return output;
}

}  // namespace nerone::softdpu::testing
