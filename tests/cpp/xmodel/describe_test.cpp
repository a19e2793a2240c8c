#include "xmodel/describe.hpp"

#include <gtest/gtest.h>

#include <nerone/error.hpp>
#include <xir/attrs/attrs.hpp>
#include <xir/graph/subgraph.hpp>

#include "graphs.hpp"
#include "xmodel/handle.hpp"

namespace nerone::xmodel {
namespace {

using namespace testing;

Handle load(const Graph& graph) {
  const TemporaryFolder folder;
  write(graph, folder.path / "net.xmodel");
  return Handle::load(folder.path / "net.xmodel");
}

const Bytes& data_of(const Graph& graph, const std::string& op) {
  return std::get<Bytes>(graph.ops[index_of(graph, op)].attrs.at("data"));
}

TEST(Describe, TakesWeightsFromTheRegister) {
  const auto model = load(compiled_graph());
  const auto graph = describe(model.subgraph("subgraph_dpu"));
  ASSERT_EQ(data_of(graph, "weights").size(), 36U);
  EXPECT_EQ(data_of(graph, "weights")[0], 5);  // byte 4 of a register that counts from 1
  EXPECT_EQ(data_of(graph, "bias"), (Bytes{41, 42, 43, 44}));
}

TEST(Describe, TakesWeightsFromTheConstants) {
  const auto graph = describe(load(own_graph()).subgraph("subgraph_dpu"));
  EXPECT_EQ(data_of(graph, "bias"), (Bytes{1, 2, 3, 4}));
}

TEST(Describe, NamesOneSubgraphAndWhatFeedsIt) {
  const auto graph = describe(load(compiled_graph()).subgraph("subgraph_dpu"));
  ASSERT_EQ(graph.root.children.size(), 1U);
  const auto& subgraph = graph.root.children[0];
  EXPECT_EQ(subgraph.name, "subgraph_dpu");
  EXPECT_EQ(subgraph.device(), "DPU");
  EXPECT_EQ(subgraph.ops.size(), 4U);
  EXPECT_EQ(graph.ops.size(), 5U);
  const auto& input = graph.ops[index_of(graph, "input")];
  EXPECT_EQ(input.type, "data-fix");
  EXPECT_TRUE(input.inputs.empty());
  EXPECT_EQ(input.output.fix_point(), 4);
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    for (const auto& [role, producers] : graph.ops[i].inputs) {
      for (const auto producer : producers) EXPECT_LT(producer, i);
    }
  }
  EXPECT_EQ(std::get<std::vector<std::int32_t>>(graph.ops[index_of(graph, "pool")].attrs.at("pad")),
            (std::vector<std::int32_t>{0, 0, 0, 0}));  // XIR's default
}

TEST(Describe, AFloatInputOfACpuSubgraphIsData) {
  const auto graph = describe(load(own_graph()).subgraph("subgraph_cpu"));
  EXPECT_EQ(graph.ops[index_of(graph, "pool")].type, "data-fix");
  EXPECT_EQ(graph.ops[index_of(graph, "nms")].inputs.at("input").size(), 2U);
}

TEST(Describe, RefusesOtherFamiliesInOneSentence) {
  for (const char* name : {"DPUCVDX8G_ISA3_C32B6", "DPUCAHX8H_ISA2", "DPUCADF8H_ISA0", "DPURADR16L"}) {
    auto graph = compiled_graph();
    graph.root.children[1].attrs["dpu_name"] = std::string(name);
    try {
      const auto model = load(graph);
      describe(model.subgraph("subgraph_dpu"));
      ADD_FAILURE() << name;
    } catch (const ModelError& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find(name), std::string::npos);
      EXPECT_NE(message.find("compile the model for a DPUCZDX8G"), std::string::npos);
      EXPECT_EQ(message.find('\n'), std::string::npos);
    }
  }
}

TEST(Handle, CustomOpsLoad) {
  const auto model = load(own_graph());
  EXPECT_EQ(model.graph().ops.back().type, "my-detections");
  EXPECT_THROW(model.subgraph("subgraph_absent"), ModelError);
}

TEST(Handle, CopiesShareTheGraph) {
  auto first = load(compiled_graph());
  const auto copy = first;
  first = load(own_graph());
  EXPECT_EQ(copy.graph().ops.size(), 7U);
  EXPECT_EQ(copy.subgraph("subgraph_dpu")->get_name(), "subgraph_dpu");
}

TEST(Options, AreReadWithTheirTypes) {
  const auto attrs = xir::Attrs::create();
  attrs->set_attr<std::int32_t>("cores", 2);
  attrs->set_attr<std::uint64_t>("big", 7);
  attrs->set_attr<std::string>("kernels", "scalar");
  EXPECT_EQ(int_attr_or(attrs.get(), "cores", 0), 2);
  EXPECT_EQ(int_attr_or(attrs.get(), "big", 0), 7);
  EXPECT_EQ(int_attr_or(attrs.get(), "absent", -3), -3);
  EXPECT_EQ(int_attr_or(nullptr, "cores", 5), 5);
  EXPECT_EQ(string_attr_or(attrs.get(), "kernels", "auto"), "scalar");
  EXPECT_EQ(string_attr_or(attrs.get(), "absent", "auto"), "auto");
  EXPECT_THROW(int_attr_or(attrs.get(), "kernels", 0), ConfigurationError);
  EXPECT_THROW(string_attr_or(attrs.get(), "cores", ""), ConfigurationError);
}

}  // namespace
}  // namespace nerone::xmodel
