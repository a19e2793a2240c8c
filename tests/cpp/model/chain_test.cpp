#include "model/chain.hpp"

#include <gtest/gtest.h>

#include <nerone/error.hpp>

#include "vart/files.hpp"

namespace nerone::model {
namespace {

xmodel::Op op(const std::string& name, const std::string& type, std::vector<std::size_t> inputs) {
  return testing::fixed_op(name, type, {}, {{"input", std::move(inputs)}});
}

xmodel::Subgraph part(const std::string& name, const std::string& device, std::vector<std::size_t> ops) {
  return {name, {{"device", device}}, std::move(ops), {}};
}

// a -> b -> c, and b -> d; the file names the subgraphs in the wrong order.
xmodel::Graph forked() {
  xmodel::Graph graph;
  graph.name = "forked";
  graph.ops = {testing::fixed_op("a", "data-fix", {}, {}), op("b", "identity", {0}), op("c", "identity", {1}),
               op("d", "identity", {1})};
  graph.root = {"root", {}, {0, 1, 2, 3}, {part("C", "CPU", {2}), part("B", "DPU", {1, 3}), part("A", "USER", {0})}};
  return graph;
}

TEST(Chain, OrdersSubgraphsByWhatTheyRead) {
  const auto graph = forked();
  const auto chain = chain_of(graph);
  ASSERT_EQ(chain.links.size(), 3U);
  EXPECT_EQ(chain.links[0].subgraph->name, "A");
  EXPECT_EQ(chain.links[1].subgraph->name, "B");
  EXPECT_EQ(chain.links[2].subgraph->name, "C");
  EXPECT_EQ(chain.inputs, (std::vector<std::size_t>{0}));
  EXPECT_EQ(chain.outputs, (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ(chain.links[1].outputs, (std::vector<std::size_t>{1, 3}));
}

TEST(Chain, EndsWithTheFirstDpuSubgraph) {
  const auto graph = forked();
  const auto chain = until_first_dpu(chain_of(graph));
  EXPECT_EQ(chain.links.size(), 2U);
  EXPECT_EQ(chain.outputs, (std::vector<std::size_t>{1, 3}));
  auto cpu_only = forked();
  cpu_only.root.children[1].attrs["device"] = std::string("CPU");
  EXPECT_THROW(until_first_dpu(chain_of(cpu_only)), ModelError);
}

TEST(Chain, RefusesWhatCannotRun) {
  auto waiting = forked();
  waiting.ops[3].inputs["input"] = {2};  // B reads C, which reads B
  EXPECT_THROW(chain_of(waiting), ModelError);
  auto uncompiled = forked();
  uncompiled.root.children.clear();
  EXPECT_THROW(chain_of(uncompiled), ModelError);
  auto homeless = forked();
  homeless.root.children[0].ops.clear();
  EXPECT_THROW(chain_of(homeless), ModelError);
  auto twice = forked();
  twice.root.children[0].ops = {1, 2};
  EXPECT_THROW(chain_of(twice), ModelError);
  auto foreign = forked();
  foreign.root.children[0].attrs["device"] = std::string("GPU");
  EXPECT_THROW(chain_of(foreign), ModelError);
  auto computing = forked();
  computing.root.children[2].ops = {0, 1};
  computing.root.children[1].ops = {3};
  EXPECT_THROW(chain_of(computing), ModelError);
  auto inputless = forked();
  inputless.root.children[2].attrs["device"] = std::string("CPU");
  EXPECT_THROW(chain_of(inputless), ModelError);
}

}  // namespace
}  // namespace nerone::model
