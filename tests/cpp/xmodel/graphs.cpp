#include "graphs.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace nerone::xmodel::testing {

namespace {

using Ints = std::vector<std::int32_t>;
using Inputs = std::map<std::string, std::vector<std::size_t>>;

std::size_t add(Graph& graph, const std::string& name, const std::string& type, Attrs attrs, Inputs inputs, Ints shape,
                const std::string& data_type, int fix_point = 4) {
  Tensor tensor{name + "_out", std::move(shape), data_type, {}};
  if (data_type == "XINT8") {
    tensor.attrs = {{"fix_point", std::int32_t{fix_point}}, {"bit_width", std::int32_t{8}}, {"if_signed", true}};
  }
  graph.ops.push_back({name, type, std::move(attrs), std::move(inputs), std::move(tensor)});
  return graph.ops.size() - 1;
}

Attrs source(const Ints& shape, const std::string& data_type) { return {{"shape", shape}, {"data_type", data_type}}; }

std::size_t add_constant(Graph& graph, const std::string& name, const Ints& shape, Bytes data) {
  auto attrs = source(shape, "XINT8");
  attrs["data"] = std::move(data);
  return add(graph, name, "const-fix", std::move(attrs), {}, shape, "XINT8", 6);
}

Attrs conv_attrs() {
  return {{"kernel", Ints{3, 3}},
          {"stride", Ints{1, 1}},
          {"dilation", Ints{1, 1}},
          {"pad", Ints{1, 1, 1, 1}},
          {"pad_mode", std::string("SAME")},
          {"nonlinear", std::string("RELU")}};
}

Attrs crossing_attrs() {
  return {{"fix_point", std::int32_t{4}},
          {"bit_width", std::int32_t{8}},
          {"round_mode", std::string("DPU_ROUND")},
          {"if_signed", true}};
}

Subgraph subgraph(const std::string& name, std::vector<std::size_t> ops, Attrs attrs = {}) {
  return {name, std::move(attrs), std::move(ops), {}};
}

Bytes counting_bytes(std::size_t count) {
  Bytes bytes(count);
  std::iota(bytes.begin(), bytes.end(), static_cast<char>(1));
  return bytes;
}

void place(Op& op, int address) {
  op.output.attrs["reg_id"] = std::int32_t{0};
  op.output.attrs["ddr_addr"] = std::int32_t{address};
  op.attrs["data"] = Bytes{};
}

Attrs dpu_attrs() {
  using Texts = std::map<std::string, std::string>;
  return {{"device", std::string("DPU")},
          {"dpu_name", std::string("DPUCZDX8G_ISA1_B4096")},
          {"dpu_fingerprint", std::uint64_t{0x101000056010407}},
          {"runner", Texts{{"run", "libvart-dpu-runner.so"}, {"ref", "libvart-cpu-runner.so"}}},
          {"mc_code", counting_bytes(64)},
          {"reg_id_to_context_type", Texts{{"REG_0", "CONST"}, {"REG_1", "DATA"}}},
          {"reg_id_to_size", std::map<std::string, std::int32_t>{{"REG_0", 48}, {"REG_1", 4096}}},
          {"reg_id_to_parameter_value", std::map<std::string, Bytes>{{"REG_0", counting_bytes(48)}}},
          {"workload", std::uint64_t{1} << 40}};
}

// Everything up to the softmax; the weights carry their bytes.
Graph layers() {
  Graph graph;
  graph.name = "net";
  graph.attrs = {{"origin", std::string("tensorflow2")}};
  const auto input = add(graph, "input", "data-fix", source({1, 4, 4, 1}, "XINT8"), {}, {1, 4, 4, 1}, "XINT8");
  const auto weights = add_constant(graph, "weights", {4, 3, 3, 1}, counting_bytes(36));
  const auto bias = add_constant(graph, "bias", {4}, counting_bytes(4));
  const auto conv = add(graph, "conv", "conv2d-fix", conv_attrs(),
                        {{"input", {input}}, {"weights", {weights}}, {"bias", {bias}}}, {1, 4, 4, 4}, "XINT8");
  const Attrs pool_attrs = {{"kernel", Ints{2, 2}}, {"stride", Ints{2, 2}}, {"type", std::string("MAX")}};
  const auto pool = add(graph, "pool", "pool-fix", pool_attrs, {{"input", {conv}}}, {1, 2, 2, 4}, "XINT8");
  const auto floats = add(graph, "floats", "fix2float", crossing_attrs(), {{"input", {pool}}}, {1, 2, 2, 4}, "FLOAT32");
  add(graph, "softmax", "softmax", {{"axis", std::int32_t{-1}}}, {{"input", {floats}}}, {1, 2, 2, 4}, "FLOAT32");
  return graph;
}

}  // namespace

Graph compiled_graph() {
  auto graph = layers();
  place(graph.ops[1], 4);
  place(graph.ops[2], 40);
  auto dpu = subgraph("subgraph_dpu", {1, 2, 3, 4}, dpu_attrs());
  dpu.children = {subgraph("subgraph_conv", {1, 2, 3}), subgraph("subgraph_pool", {4})};
  graph.root = subgraph("root", {0, 1, 2, 3, 4, 5, 6});
  graph.root.children = {subgraph("subgraph_input", {0}, {{"device", std::string("USER")}}), std::move(dpu),
                         subgraph("subgraph_cpu", {5, 6}, {{"device", std::string("CPU")}})};
  return graph;
}

Graph own_graph() {
  auto graph = layers();
  const auto softmax = graph.ops.size() - 1;
  add(graph, "nms", "my-detections", {{"threshold", 0.5F}}, {{"input", {softmax, 4}}}, {1, 10, 6}, "FLOAT32");
  graph.root = subgraph("root", {0, 1, 2, 3, 4, 5, 6, 7});
  graph.root.children = {
      subgraph("subgraph_input", {0}, {{"device", std::string("USER")}}),
      subgraph("subgraph_dpu", {1, 2, 3, 4}, {{"device", std::string("DPU")}, {"dpu_name", std::string("NERONE")}}),
      subgraph("subgraph_cpu", {5, 6, 7}, {{"device", std::string("CPU")}})};
  return graph;
}

Graph quantized_graph() {
  Graph graph;
  graph.name = "quantized";
  const Ints shape{1, 4, 4, 2};
  const auto input = add(graph, "input", "data", source(shape, "FLOAT32"), {}, shape, "FLOAT32");
  const auto fixed = add(graph, "fixed", "fix", crossing_attrs(), {{"input", {input}}}, shape, "FLOAT32");
  const auto relu = add(graph, "relu", "relu", {}, {{"input", {fixed}}}, shape, "FLOAT32");
  const auto sum = add(graph, "sum", "add", {}, {{"input", {fixed, relu}}}, shape, "FLOAT32");
  add(graph, "joined", "concat", {{"axis", std::int32_t{3}}}, {{"input", {sum, relu, sum}}}, {1, 4, 4, 6}, "FLOAT32");
  graph.root = subgraph("root", {0, 1, 2, 3, 4});
  return graph;
}

Attrs every_attr() {
  constexpr auto i32 = std::numeric_limits<std::int32_t>::min();
  constexpr auto u32 = std::numeric_limits<std::uint32_t>::max();
  constexpr auto i64 = std::numeric_limits<std::int64_t>::min();
  constexpr auto u64 = std::numeric_limits<std::uint64_t>::max();
  const Bytes bytes{'\0', '\x7F', static_cast<char>(0x80), static_cast<char>(0xFF)};
  return {{"bool", false},
          {"int32", i32},
          {"uint32", u32},
          {"int64", i64},
          {"uint64", u64},
          {"float", -0.1F},
          {"double", 0.1},
          {"string", std::string("Körper ☃")},
          {"bytes", bytes},
          {"bools", std::vector<bool>{true, false, true}},
          {"int32s", Ints{i32, -1, 0, 1}},
          {"uint32s", std::vector<std::uint32_t>{0, u32}},
          {"int64s", std::vector<std::int64_t>{i64, 0, -1}},
          {"uint64s", std::vector<std::uint64_t>{u64, 0}},
          {"floats", std::vector<float>{0.0F, -1.5F, std::numeric_limits<float>::infinity()}},
          {"doubles", std::vector<double>{1e300, -0.0}},
          {"strings", std::vector<std::string>{"", "two"}},
          {"bytes_list", std::vector<Bytes>{bytes, {'x'}}},
          {"no_ints", Ints{}},
          {"no_strings", std::vector<std::string>{}},
          {"int32_map", std::map<std::string, std::int32_t>{{"", 0}, {"b", i32}}},
          {"uint32_map", std::map<std::string, std::uint32_t>{{"a", u32}}},
          {"int64_map", std::map<std::string, std::int64_t>{{"a", i64}}},
          {"uint64_map", std::map<std::string, std::uint64_t>{{"a", u64}}},
          {"string_map", std::map<std::string, std::string>{{"a", ""}, {"b", "x"}}},
          {"bytes_map", std::map<std::string, Bytes>{{"a", bytes}, {"b", {'x'}}}},
          {"int32s_map", std::map<std::string, Ints>{{"a", {}}, {"b", {1, -2}}}},
          {"uint32s_map", std::map<std::string, std::vector<std::uint32_t>>{{"a", {u32}}}},
          {"int64s_map", std::map<std::string, std::vector<std::int64_t>>{{"a", {i64}}}},
          {"uint64s_map", std::map<std::string, std::vector<std::uint64_t>>{{"a", {u64}}}},
          {"strings_map", std::map<std::string, std::vector<std::string>>{{"a", {"x", ""}}}}};
}

std::size_t index_of(const Graph& graph, const std::string& op) {
  const auto found =
      std::find_if(graph.ops.begin(), graph.ops.end(), [&](const auto& candidate) { return candidate.name == op; });
  if (found == graph.ops.end()) throw std::out_of_range(op);
  return static_cast<std::size_t>(found - graph.ops.begin());
}

std::vector<std::filesystem::path> golden_files() {
  const char* chosen = std::getenv("NERONE_GOLDEN_DIR");
  const std::filesystem::path folder = chosen != nullptr ? chosen : NERONE_SOURCE_DIR "/../shared/golden";
  std::vector<std::filesystem::path> files;
  for (const char* part : {"models", "quantized"}) {
    std::error_code absent;
    for (const auto& entry : std::filesystem::directory_iterator(folder / part, absent)) {
      if (entry.path().extension() == ".xmodel") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TemporaryFolder::TemporaryFolder() {
  auto name = (std::filesystem::temp_directory_path() / "nerone-xmodel-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
  path = name;
}

TemporaryFolder::~TemporaryFolder() { std::filesystem::remove_all(path); }

}  // namespace nerone::xmodel::testing
