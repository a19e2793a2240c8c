#include "cpu/program.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <nerone/error.hpp>

#include "run_op.hpp"

namespace nerone::cpu::testing {
namespace {

xmodel::Op constant(const std::string& name, const Array& array) {
  auto op = float_op(name, "const", array.shape);
  xmodel::Bytes bytes(array.values.size() * sizeof(float));
  std::memcpy(bytes.data(), array.values.data(), bytes.size());
  op.attrs["data"] = bytes;
  return op;
}

// x -> neg -> relu, and neg + constant beside it.
xmodel::Graph branches() {
  xmodel::Graph graph;
  const Dims shape{1, 1, 1, 3};
  graph.ops.push_back(float_op("x", "data", shape));
  graph.ops.push_back(constant("c", {shape, {10, 20, 30}}));
  graph.ops.push_back(float_op("negative", "neg", shape, {}, {{"input", {0}}}));
  graph.ops.push_back(float_op("positive", "relu", shape, {}, {{"input", {2}}}));
  graph.ops.push_back(float_op("sum", "add", shape, {}, {{"input", {2, 1}}}));
  return graph;
}

TEST(Program, RunsAllBranchesAgainAndAgain) {
  const auto graph = branches();
  auto program = Program::plan(graph, {"cpu", {}, {1, 2, 3, 4}, {}});
  EXPECT_EQ(program.inputs(), (std::vector<std::size_t>{0}));
  EXPECT_EQ(program.outputs(), (std::vector<std::size_t>{3, 4}));
  for (int run = 1; run < 4; ++run) {
    const Floats x{static_cast<float>(run), 0, static_cast<float>(-run)};
    Floats positive(3), sum(3);
    program.run({x.data()}, {positive.data(), sum.data()});
    EXPECT_EQ(positive, (Floats{0, 0, static_cast<float>(run)}));
    EXPECT_EQ(sum, (Floats{10 - x[0], 20, 30 - x[2]}));
  }
}

TEST(Program, NamesAnOpThatIsMissing) {
  auto graph = branches();
  graph.ops[3].type = "wavelet";
  try {
    Program::plan(graph, {"cpu", {}, {1, 2, 3, 4}, {}});
    FAIL() << "planned a wavelet";
  } catch (const ModelError& error) {
    EXPECT_NE(std::string(error.what()).find("wavelet"), std::string::npos) << error.what();
  }
}

TEST(Program, RefusesAConstantOfAnotherSize) {
  auto graph = branches();
  graph.ops[1].attrs["data"] = xmodel::Bytes(11);
  EXPECT_THROW(Program::plan(graph, {"cpu", {}, {1, 2, 3, 4}, {}}), ModelError);
}

TEST(Program, RefusesWeightsThatDoNotFit) {
  Random random(seed_of_run());
  const auto x = random_array(random, {1, 4, 4, 3}), weights = random_array(random, {5, 3, 3, 2});
  EXPECT_THROW(run_op("conv2d", {{"kernel", Dims{3, 3}}, {"stride", Dims{1, 1}}}, {{"input", x}, {"weights", weights}},
                      {1, 2, 2, 5}),
               ModelError);
}

}  // namespace
}  // namespace nerone::cpu::testing
