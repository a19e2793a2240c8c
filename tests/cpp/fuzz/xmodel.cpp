// xmodels: bytes, then what they say, through our reader and every engine and CPU op, without libxir. All engines must
// give the same bits.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <nerone/error.hpp>
#include <nerone/xmodel.hpp>
#include <set>

#include "compiled/constants.hpp"
#include "cpu/program.hpp"
#include "graph_builder.hpp"
#include "graphs.hpp"
#include "isa/program.hpp"
#include "model/chain.hpp"
#include "mutate.hpp"
#include "mutations.hpp"
#include "random_streams.hpp"
#include "softdpu/engine.hpp"
#include "xmodel/check.hpp"
#include "xmodel/encode.hpp"
#include "xmodel/registers.hpp"
#include "xmodel/tensor_info.hpp"

namespace nerone::fuzz {

namespace {

using softdpu::Kernels;
using xmodel::Graph;
using xmodel::Op;
using Ints = std::vector<std::int32_t>;
using Text = std::string;

constexpr std::int64_t most_macs = 1 << 20;

xmodel::Limits limits() {
  xmodel::Limits limits;
  limits.max_file_bytes = std::size_t{1} << 20;
  limits.max_tensor_bytes = std::size_t{1} << 17;
  return limits;
}

// A DPU subgraph by itself, as xmodel::describe() gives it.
class Described {
 public:
  Described(const Graph& whole, const xmodel::Subgraph& subgraph) : whole_(whole), subgraph_(subgraph) {
    const std::set<std::size_t> own(subgraph.ops.begin(), subgraph.ops.end());
    for (const auto op : own) {
      for (const auto& [role, sources] : whole.ops[op].inputs) {
        for (const auto source : sources) {
          if (own.count(source) == 0 && places_.count(source) == 0) add(source, true);
        }
      }
      add(op, false);
      graph.root.ops.push_back(places_.at(op));
    }
    check_ops(graph, limits());
    for (auto& op : graph.ops) fill(op);
    graph.root.name = "root";
    graph.root.children.push_back({subgraph.name, subgraph.attrs, graph.root.ops, {}});
  }

  Graph graph;

 private:
  void add(std::size_t index, bool is_outside) {
    Op op = whole_.ops[index];
    if (is_outside && !op.is_constant()) {
      op.type = op.output.fix_point() ? "data-fix" : "data";
      op.inputs.clear();
      op.attrs = {{"shape", op.output.shape}, {"data_type", op.output.data_type}};
    }
    for (auto& [role, sources] : op.inputs) {
      for (auto& source : sources) source = places_.at(source);
    }
    places_[index] = graph.ops.size();
    graph.ops.push_back(std::move(op));
  }
  void fill(Op& op) {
    if (!op.is_constant()) return;
    auto& data = std::get<xmodel::Bytes>(op.attrs.at("data"));
    op.attrs["nerone_from_register"] = data.empty();
    if (!data.empty()) return;
    const auto span = xmodel::find_in_register(op, subgraph_);
    data.assign(span.data, span.data + span.size_bytes);
  }

  const Graph& whole_;
  const xmodel::Subgraph& subgraph_;
  std::map<std::size_t, std::size_t> places_;
};

using Buffers = std::vector<std::vector<char>>;

// Each in memory of its own, so that a read or write behind its end is seen.
Buffers buffers_of(const std::vector<TensorInfo>& tensors) {
  Buffers buffers;
  unsigned value = 1;
  for (const auto& tensor : tensors) {
    auto& buffer = buffers.emplace_back(static_cast<std::size_t>(size_bytes(tensor)));
    if (tensor.dtype == DType::float32) continue;
    for (auto& byte : buffer) byte = static_cast<char>((value = value * 1664525 + 1013904223) >> 24);
  }
  return buffers;
}

template <typename Pointer>
std::vector<Pointer> pointers_of(Buffers& buffers) {
  std::vector<Pointer> pointers;
  for (auto& buffer : buffers) pointers.push_back(buffer.data());
  return pointers;
}

Buffers outputs_of(const softdpu::Engine& engine) {
  const auto context = engine.make_context();
  auto inputs = buffers_of(engine.inputs()), outputs = buffers_of(engine.outputs());
  engine.run(*context, pointers_of<const void*>(inputs).data(), pointers_of<void*>(outputs).data());
  return outputs;
}

std::shared_ptr<const softdpu::Engine> engine_of(const Graph& graph, softdpu::EngineOptions options, Kernels kernels) {
  options.kernels = kernels;
  return make_engine(graph, options);
}

bool is_small(const softdpu::Engine& engine) {
  std::int64_t macs = 0;
  for (const auto& step : engine.steps()) {
    if (step.macs < 0 || (macs += step.macs) > most_macs) return false;
  }
  return true;
}

void run_instructions(const Graph& graph, const softdpu::EngineOptions& options) {
  const auto& attrs = graph.root.children.front().attrs;
  const auto machine = isa::machine_of(xmodel::attr_or<std::uint64_t>(attrs, "dpu_fingerprint", 0),
                                       xmodel::attr_or<Text>(attrs, "dpu_name", {}));
  for (const char* key : {"mc_code_preload", "mc_code"}) {
    const auto code = xmodel::attr_or<xmodel::Bytes>(attrs, key, {});
    if (code.empty()) continue;
    const auto program = isa::make_program(machine, isa::decode(code.data(), code.size(), machine.version));
    if (!isa::testing::is_short(program)) return;
  }
  outputs_of(*engine_of(graph, options, Kernels::isa));
}

void run_dpu(const Graph& whole, const model::Link& link) {
  xmodel::check_family(*link.subgraph);
  auto graph = Described(whole, *link.subgraph).graph;
  compiled::restore_constants(graph);
  softdpu::EngineOptions options;
  for (const auto op : link.outputs) options.outputs.push_back(whole.ops[op].output.name);
  const auto portable = engine_of(graph, options, Kernels::portable);
  if (!is_small(*portable)) return;
  const auto expected = outputs_of(*portable);
  for (const auto kernels : softdpu::available_kernels()) {
    if (kernels == Kernels::portable) continue;
    if (outputs_of(*engine_of(graph, options, kernels)) == expected) continue;
    std::fprintf(stderr, "the engines portable and %s differ\n", name_of(kernels));
    std::abort();
  }
  if (graph.root.children.front().attrs.count("mc_code") != 0) run_instructions(graph, options);
}

void run_cpu(const Graph& whole, const model::Link& link) {
  auto program = cpu::Program::plan(whole, *link.subgraph);
  const auto buffers = [&whole](const std::vector<std::size_t>& ops) {
    std::vector<TensorInfo> infos;
    for (const auto op : ops) infos.push_back(xmodel::info_of(whole.ops[op].output));
    return buffers_of(infos);
  };
  auto inputs = buffers(program.inputs()), outputs = buffers(program.outputs());
  program.run(pointers_of<const void*>(inputs), pointers_of<void*>(outputs));
}

// A small U-Net and one of each other kind of op.
Graph network() {
  using softdpu::testing::random_bytes;
  softdpu::testing::GraphBuilder build;
  const auto x = build.input("x", {1, 10, 10, 3}, 4);
  const auto a = build.conv("a", x, {1, 8, 8, 8}, 3, {3, 3}, random_bytes(8 * 27, 1), 7, "RELU");
  const xmodel::Attrs halves{{"kernel", Ints{2, 2}}, {"stride", Ints{2, 2}}, {"type", Text("MAX")}};
  const auto p = build.op("pool-fix", "p", {1, 4, 4, 8}, 3, halves, {{"input", {a}}});
  const auto b = build.conv("b", p, {1, 4, 4, 16}, 4, {1, 1}, random_bytes(16 * 8, 2), 6, "LEAKYRELU");
  const auto u = build.op("upsample-fix", "u", {1, 8, 8, 16}, 4,
                          {{"scale", std::vector<float>{2, 2}}, {"mode", Text("NEAREST")}}, {{"input", {b}}});
  const auto c = build.op("concat-fix", "c", {1, 8, 8, 24}, 3, {{"axis", std::int32_t{3}}}, {{"input", {a, u}}});
  const auto d = build.conv("d", c, {1, 8, 8, 8}, 3, {1, 1}, random_bytes(8 * 24, 3), 8);
  build.op("eltwise-fix", "e", {1, 8, 8, 8}, 3, {{"type", Text("ADD")}}, {{"input", {d, a}}});
  build.op("pool-fix", "g", {1, 1, 1, 16}, 4,
           {{"kernel", Ints{4, 4}}, {"stride", Ints{1, 1}}, {"global", true}, {"type", Text("AVG")}}, {{"input", {b}}});
  return build.file();
}

Graph odd_ops() {
  using softdpu::testing::random_bytes;
  softdpu::testing::GraphBuilder build;
  const auto x = build.input("x", {1, 6, 6, 4}, 4);
  const xmodel::Attrs window{{"kernel", Ints{3, 3}},
                             {"stride", Ints{1, 1}},
                             {"pad", Ints{1, 1, 1, 1}},
                             {"dilation", Ints{1, 1}},
                             {"pad_mode", Text("FLOOR")},
                             {"nonlinear", Text("NONE")},
                             {"hsigmoid_in", std::int32_t{-128}},
                             {"shift_hsigmoid", std::int32_t{-128}},
                             {"shift_hswish", std::int32_t{-128}}};
  const auto w = build.constant("w", {1, 3, 3, 4}, 6, random_bytes(36, 4));
  const auto d = build.op("depthwise-conv2d-fix", "dw", {1, 6, 6, 4}, 4, window, {{"input", {x}}, {"weights", {w}}});
  auto stride = window;
  stride["kernel"] = Ints{2, 2};
  stride["stride"] = Ints{2, 2};
  stride["pad"] = Ints{0, 0, 0, 0};
  const auto t = build.constant("tw", {5, 2, 2, 4}, 6, random_bytes(80, 5));
  const auto up = build.op("transposed-conv2d-fix", "t", {1, 12, 12, 5}, 4, stride, {{"input", {d}}, {"weights", {t}}});
  build.op("pad-fix", "pad", {1, 14, 13, 5}, 4,
           {{"mode", Text("CONSTANT")}, {"paddings", Ints{0, 0, 1, 1, 0, 1, 0, 0}}}, {{"input", {up}}});
  build.op("downsample-fix", "down", {1, 3, 3, 4}, 4, {{"scale", std::vector<float>{2, 2}}, {"mode", Text("NEAREST")}},
           {{"input", {x}}});
  build.op("pool-fix", "avg", {1, 4, 4, 4}, 4, {{"kernel", Ints{3, 3}}, {"stride", Ints{1, 1}}, {"type", Text("AVG")}},
           {{"input", {d}}});
  return build.file();
}

// Files read once, so that graphs are mutated rather than bytes.
const Graph* graph_of(const Text& input) {
  static std::map<Text, Graph> known;
  const auto found = known.find(input);
  if (found != known.end()) return &found->second;
  try {
    if (known.size() > 256) known.clear();
    return &known.emplace(input, xmodel::read_bytes(input.data(), input.size(), limits())).first->second;
  } catch (const ModelError&) {
    return nullptr;
  }
}

}  // namespace

std::vector<Text> seeds() {
  std::vector<Text> files;
  for (const auto& graph : {xmodel::testing::compiled_graph(), xmodel::testing::own_graph(), network(), odd_ops()}) {
    files.push_back(encode(graph));
  }
  return files;
}

Text mutated(const Text& input, const Text& other, Random& random) {
  const auto* graph = below(4, random) == 0 ? nullptr : graph_of(input);
  if (graph == nullptr) return xmodel::testing::mutate_bytes(input, other, random);
  const auto bytes = encode(xmodel::testing::mutate_graph(*graph, random));
  return below(8, random) == 0 ? xmodel::testing::mutate_bytes(bytes, other, random) : bytes;
}

bool enter(const Text& input) {
  try {
    const auto graph = xmodel::read_bytes(input.data(), input.size(), limits());
    const auto chain = model::chain_of(graph);
    for (const auto& link : chain.links) {
      const auto device = link.subgraph->device();
      try {
        if (device == "DPU") run_dpu(graph, link);
        if (device == "CPU") run_cpu(graph, link);
      } catch (const Error& error) {
        check_message(error.what());  // the other subgraphs are run all the same
      }
    }
    return true;
  } catch (const Error& error) {
    check_message(error.what());
    return false;
  }
}

}  // namespace nerone::fuzz
