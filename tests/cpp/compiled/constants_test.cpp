#include "compiled/constants.hpp"

#include <gtest/gtest.h>

#include <nerone/error.hpp>
#include <numeric>

#include "compiled/taps.hpp"
#include "graphs.hpp"
#include "xmodel/registers.hpp"

namespace nerone::compiled {
namespace {

using xmodel::Bytes;
using xmodel::testing::index_of;

xmodel::Attrs fixed(int fix_point) { return {{"fix_point", std::int32_t{fix_point}}}; }

xmodel::Op constant(const std::string& name, std::vector<std::int32_t> shape, int fix_point, bool from_register) {
  Bytes data(static_cast<std::size_t>(xmodel::Tensor{"", shape, "XINT8", {}}.element_count()));
  std::iota(data.begin(), data.end(), static_cast<char>(0));
  return {name,
          "const-fix",
          {{"data", data}, {xmodel::from_register_attr, from_register}},
          {},
          {name, std::move(shape), "XINT8", fixed(fix_point)}};
}

// Input of fix point 1, weights of 5, bias of 9: the last convolution of a published U-Net.
xmodel::Graph convolution(const std::string& type, bool from_register,
                          xmodel::Attrs dpu = {{layout_attr, std::string("instructions")}}) {
  xmodel::Graph graph;
  graph.ops.push_back({"input", "data-fix", {}, {}, {"input", {1, 4, 4, 2}, "XINT8", fixed(1)}});
  graph.ops.push_back(constant("weights", {2, 3, 3, 2}, 5, from_register));
  graph.ops.push_back(constant("bias", {2}, 9, from_register));
  graph.ops.push_back({"conv",
                       type,
                       {{"stride", std::vector<std::int32_t>{2, 2}}},
                       {{"input", {0}}, {"weights", {1}}, {"bias", {2}}},
                       {"conv", {1, 8, 8, 2}, "XINT8", fixed(0)}});
  graph.root.children.push_back({"dpu", std::move(dpu), {1, 2, 3}, {}});
  return graph;
}

const Bytes& data_of(const xmodel::Graph& graph, const char* op) {
  return std::get<Bytes>(graph.ops[index_of(graph, op)].attrs.at("data"));
}

int fix_point_of(const xmodel::Graph& graph, const char* op) {
  return *graph.ops[index_of(graph, op)].output.fix_point();
}

TEST(Taps, OfThreeByThreeAndStrideTwo) {
  const TransposedKernel kernel{3, 3, 2, 2, 0, 0};
  EXPECT_EQ(stored_taps(kernel, PhaseOrder::by_first_tap(kernel)), (std::vector<int>{0, 2, 6, 8, 1, 7, 3, 5, 4}));
}

TEST(Taps, KernelUpToStrideIsInItsOwnOrder) {
  for (const auto& kernel : {TransposedKernel{2, 2, 2, 2, 0, 0}, {3, 2, 4, 2, 0, 1}, {1, 1, 2, 3, 0, 0}}) {
    std::vector<int> in_order(static_cast<std::size_t>(kernel.kernel_h * kernel.kernel_w));
    std::iota(in_order.begin(), in_order.end(), 0);
    EXPECT_EQ(stored_taps(kernel, PhaseOrder::by_first_tap(kernel)), in_order);
  }
}

TEST(Constants, ABiasFinerThanTheSumIsReadWithTheSumsFixPoint) {
  auto graph = convolution("conv2d-fix", true);
  restore_constants(graph);
  EXPECT_EQ(fix_point_of(graph, "bias"), 7);
  EXPECT_EQ(data_of(graph, "bias"), (Bytes{0, 1}));
}

TEST(Constants, ABiasThatFitsStaysAsDeclared) {
  auto graph = convolution("conv2d-fix", true);
  graph.ops[2].output.attrs["fix_point"] = std::int32_t{7};
  restore_constants(graph);
  EXPECT_EQ(fix_point_of(graph, "bias"), 7);
}

TEST(Constants, TransposedWeightsGetTheirDeclaredOrder) {
  auto graph = convolution("transposed-conv2d-fix", true);
  restore_constants(graph);
  const auto& weights = data_of(graph, "weights");
  const TransposedKernel kernel{3, 3, 2, 2, 0, 0};
  const auto taps = stored_taps(kernel, PhaseOrder::by_first_tap(kernel));
  for (std::size_t filter = 0; filter < 2; ++filter) {
    for (std::size_t place = 0; place < taps.size(); ++place) {
      EXPECT_EQ(weights[filter * 18 + static_cast<std::size_t>(taps[place]) * 2],
                static_cast<char>(filter * 18 + place * 2));
    }
  }
  EXPECT_NE(weights, data_of(convolution("transposed-conv2d-fix", true), "weights"));
}

TEST(Constants, WhatDoesNotComeFromARegisterOfInstructionsIsAsDeclared) {
  auto inline_data = convolution("transposed-conv2d-fix", false);
  auto without_code = convolution("transposed-conv2d-fix", true, {});
  auto declared =
      convolution("transposed-conv2d-fix", true, {{"mc_code", Bytes{1}}, {layout_attr, std::string("declared")}});
  for (auto* graph : {&inline_data, &without_code, &declared}) {
    const auto before = data_of(*graph, "weights");
    restore_constants(*graph);
    EXPECT_EQ(data_of(*graph, "weights"), before);
    EXPECT_EQ(fix_point_of(*graph, "bias"), 9);
  }
}

TEST(Constants, AnUnknownLayoutIsRefused) {
  auto graph = convolution("conv2d-fix", true, {{layout_attr, std::string("spiral")}});
  try {
    restore_constants(graph);
    FAIL();
  } catch (const ModelError& error) {
    EXPECT_NE(std::string(error.what()).find("'spiral'"), std::string::npos);
  }
}

TEST(Constants, ABiasThatTwoConvolutionsScaleDifferentlyIsRefused) {
  auto graph = convolution("conv2d-fix", true);
  auto second = graph.ops[3];
  auto other = graph.ops[0];
  other.output.attrs["fix_point"] = std::int32_t{2};
  graph.ops.push_back(other);
  second.inputs["input"] = {4};
  graph.ops.push_back(second);
  EXPECT_THROW(restore_constants(graph), ModelError);
}

}  // namespace
}  // namespace nerone::compiled
