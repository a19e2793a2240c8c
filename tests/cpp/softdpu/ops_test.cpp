// The other ops: values worked out by hand, for every engine.

#include <gtest/gtest.h>

#include "graph_builder.hpp"
#include "softdpu/ops/crossing.hpp"
#include "softdpu/ops/pool.hpp"

namespace nerone::softdpu::testing {
namespace {

using Text = std::string;

class EveryOp : public ::testing::TestWithParam<Kernels> {};

TEST_P(EveryOp, MaxPoolLooksAtValidPixelsOnly) {
  GraphBuilder build;
  const auto x = build.input("x", {1, 2, 2, 1}, 3);
  build.op("pool-fix", "y", {1, 3, 3, 1}, 3,
           {{"kernel", Dims{2, 2}}, {"stride", Dims{1, 1}}, {"pad", Dims{1, 1, 1, 1}}, {"type", Text("MAX")}},
           {{"input", {x}}});
  EXPECT_EQ(run(build.graph, GetParam(), {{-5, -7, -9, -128}}), (Bytes8{-5, -5, -7, -5, -5, -7, -9, -9, -128}));
}

TEST_P(EveryOp, AveragePoolUsesTheDpusReciprocal) {
  GraphBuilder build;
  const auto x = build.input("x", {1, 3, 3, 1}, 0);
  build.op("pool-fix", "y", {1, 1, 1, 1}, 0, {{"global", true}, {"type", Text("AVG")}}, {{"input", {x}}});
  // 9 * 127 * 7 / 64 = 125.02: the DPU's 1/9 is smaller.
  EXPECT_EQ(run(build.graph, GetParam(), {Bytes8(9, 127)}), (Bytes8{125}));
}

TEST_P(EveryOp, AddAlignsFixPointsWithTwoExtraBits) {
  GraphBuilder build;
  const auto a = build.input("a", {1, 1, 4, 1}, 0);
  const auto b = build.input("b", {1, 1, 4, 1}, 3);
  build.op("eltwise-fix", "y", {1, 1, 4, 1}, 0, {{"type", Text("ADD")}}, {{"input", {a, b}}});
  // floor(4 * b / 8) / 4 = 0.25, 0, -0.25 (from -1/8), 0.5
  EXPECT_EQ(run(build.graph, GetParam(), {{1, 127, 0, 2}, {3, 127, -1, 4}}), (Bytes8{1, 127, 0, 3}));
}

TEST_P(EveryOp, MultiplyRoundsTheProduct) {
  GraphBuilder build;
  const auto a = build.input("a", {1, 1, 4, 1}, 4);
  const auto b = build.input("b", {1, 1, 4, 1}, 4);
  build.op("eltwise-fix", "y", {1, 1, 4, 1}, 4, {{"type", Text("MUL")}, {"nonlinear", Text("RELU")}},
           {{"input", {a, b}}});
  EXPECT_EQ(run(build.graph, GetParam(), {{-128, 4, -4, 3}, {-128, 2, 2, 3}}), (Bytes8{127, 1, 0, 1}));
}

TEST_P(EveryOp, MultiplicationRepeatsChannelsAndPixels) {
  for (const auto& shape : {Dims{1, 1, 1, 3}, Dims{1, 2, 2, 1}, Dims{1, 1, 2, 3}, Dims{1, 2, 1, 1}, Dims{3}}) {
    GraphBuilder build;
    const auto a = build.input("a", {1, 2, 2, 3}, 0);
    const auto b = build.input("b", shape, 0);
    build.op("eltwise-fix", "y", {1, 2, 2, 3}, 0, {{"type", Text("MUL")}}, {{"input", {a, b}}});
    Bytes8 whole, part, expected;
    for (std::int8_t i = 1; i <= 12; ++i) whole.push_back(i);
    const auto axis = [&](std::size_t back) { return back <= shape.size() ? shape[shape.size() - back] : 1; };
    for (int i = 0; i < axis(1) * axis(2) * axis(3); ++i) part.push_back(static_cast<std::int8_t>(i + 2));
    for (int y = 0; y < 2; ++y) {
      for (int x = 0; x < 2; ++x) {
        for (int c = 0; c < 3; ++c) {
          const int at = (y % axis(3) * axis(2) + x % axis(2)) * axis(1) + c % axis(1);
          const int product = whole[expected.size()] * part[static_cast<std::size_t>(at)];
          expected.push_back(static_cast<std::int8_t>(std::min(product, 127)));
        }
      }
    }
    EXPECT_EQ(run(build.graph, GetParam(), {whole, part}), expected) << axis(3) << "x" << axis(2) << "x" << axis(1);
  }
}

TEST_P(EveryOp, ConcatRequantizesEachInput) {
  GraphBuilder build;
  const auto a = build.input("a", {1, 1, 2, 1}, 4);
  const auto b = build.input("b", {1, 1, 2, 2}, 3);
  build.op("concat-fix", "y", {1, 1, 2, 3}, 3, {{"axis", std::int32_t{3}}}, {{"input", {a, b}}});
  EXPECT_EQ(run(build.graph, GetParam(), {{3, -3}, {1, 2, 3, 4}}), (Bytes8{2, 1, 2, -1, 3, 4}));
}

TEST_P(EveryOp, ReadsOneTensorTwice) {
  GraphBuilder build;
  const auto a = build.input("a", {1, 1, 2, 1}, 4);
  const auto c = build.op("concat-fix", "c", {1, 1, 2, 2}, 4, {{"axis", std::int32_t{-1}}}, {{"input", {a, a}}});
  build.op("eltwise-fix", "y", {1, 1, 2, 2}, 4, {{"type", Text("ADD")}}, {{"input", {c, c}}});
  EXPECT_EQ(run(build.graph, GetParam(), {{3, 100}}), (Bytes8{6, 6, 127, 127}));
}

TEST_P(EveryOp, TileBringsChannelsToSpaceAndBack) {
  const xmodel::Attrs to_space{{"stride", std::int32_t{2}}, {"reverse", true}};
  GraphBuilder build;
  const auto x = build.input("x", {1, 1, 2, 4}, 3);
  build.op("tile-fix", "y", {1, 2, 4, 1}, 3, to_space, {{"input", {x}}});
  EXPECT_EQ(run(build.graph, GetParam(), {{1, 2, 3, 4, 5, 6, 7, 8}}), (Bytes8{1, 2, 5, 6, 3, 4, 7, 8}));
  GraphBuilder inverse;
  const auto z = inverse.input("z", {1, 2, 4, 1}, 3);
  inverse.op("tile-fix", "y", {1, 1, 2, 4}, 3, {{"stride", std::int32_t{2}}, {"reverse", false}}, {{"input", {z}}});
  EXPECT_EQ(run(inverse.graph, GetParam(), {{1, 2, 5, 6, 3, 4, 7, 8}}), (Bytes8{1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST_P(EveryOp, ReductionMaxIsAPoolOverAWholeAxis) {
  GraphBuilder build;
  const auto x = build.input("x", {1, 3, 2, 1}, 3);
  build.op("reduction_max", "y", {1, 2, 1}, 2, {{"axis", Dims{1}}, {"keep_dims", false}}, {{"input", {x}}});
  EXPECT_EQ(run(build.graph, GetParam(), {{-8, 1, -6, 20, -7, 3}}), (Bytes8{-3, 10}));
}

TEST_P(EveryOp, UpsampleRepeatsOrInterpolates) {
  GraphBuilder nearest;
  auto x = nearest.input("x", {1, 1, 2, 1}, 0);
  nearest.op("upsample-fix", "y", {1, 2, 6, 1}, 0, {{"scale", std::vector<float>{3, 2}}, {"mode", Text("NEAREST")}},
             {{"input", {x}}});
  EXPECT_EQ(run(nearest.graph, GetParam(), {{5, -7}}), (Bytes8{5, 5, 5, -7, -7, -7, 5, 5, 5, -7, -7, -7}));
  GraphBuilder bilinear;
  x = bilinear.input("x", {1, 1, 2, 1}, 0);
  bilinear.op("upsample-fix", "y", {1, 1, 4, 1}, 0,
              {{"scale", std::vector<float>{2, 1}}, {"mode", Text("BILINEAR")}, {"half_pixel_centers", true}},
              {{"input", {x}}});
  // 0.25 and 0.75 of the way from 10 to 20: 12.5 and 17.5.
  EXPECT_EQ(run(bilinear.graph, GetParam(), {{10, 20}}), (Bytes8{10, 13, 18, 20}));
}

TEST_P(EveryOp, PadMirrorsWithAndWithoutTheEdge) {
  for (const auto& [mode, expected] : {std::pair<Text, Bytes8>{"SYMMETRIC", {2, 1, 1, 2, 3, 3, 2}},
                                       {"REFLECT", {3, 2, 1, 2, 3, 2, 1}},
                                       {"CONSTANT", {-4, -4, 1, 2, 3, -4, -4}}}) {
    GraphBuilder build;
    const auto x = build.input("x", {1, 1, 3, 1}, 0);
    build.op("pad-fix", "y", {1, 1, 7, 1}, 0,
             {{"paddings", Dims{0, 0, 0, 0, 2, 2, 0, 0}}, {"mode", mode}, {"constant_values", Dims(8, -4)}},
             {{"input", {x}}});
    EXPECT_EQ(run(build.graph, GetParam(), {{1, 2, 3}}), expected) << mode;
  }
}

TEST_P(EveryOp, CopiesReachOutputsInputsAndConstants) {
  GraphBuilder build;
  const auto x = build.input("x", {1, 1, 2, 1}, 4);
  const auto upload = build.op("upload", "u", {1, 1, 2, 1}, 4, {}, {{"input", {x}}});
  build.op("download", "a", {1, 1, 2, 1}, 4, {}, {{"input", {upload}}});
  const auto k = build.constant("k", {1, 1, 2, 1}, 4, {7, 8});
  build.op("reshape-fix", "b", {1, 2}, 4, {{"shape", Dims{1, 2}}}, {{"input", {k}}});
  EngineOptions options;
  options.kernels = GetParam();
  const auto engine = make_engine(build.graph, options);
  const auto context = engine->make_context();
  ASSERT_EQ(engine->outputs().size(), 2U);
  const Bytes8 in{1, 2};
  Bytes8 first(2), second(2);
  const void* from = in.data();
  void* to[] = {first.data(), second.data()};
  engine->run(*context, &from, to);
  EXPECT_EQ(first, in);
  EXPECT_EQ(second, (Bytes8{7, 8}));
}

TEST_P(EveryOp, RunsEveryImageOfABatch) {
  GraphBuilder build;
  const auto x = build.input("x", {2, 3, 5, 4}, 3);
  const auto y = build.conv("y", x, {2, 2, 4, 6}, 3, {2, 2}, random_bytes(6 * 4 * 4, 1), 6);
  const auto p = build.op("pool-fix", "p", {2, 1, 2, 6}, 3,
                          {{"kernel", Dims{2, 2}}, {"stride", Dims{2, 2}}, {"type", Text("MAX")}}, {{"input", {y}}});
  build.op("upsample-fix", "z", {2, 2, 4, 6}, 3, {{"scale", std::vector<float>{2, 2}}, {"mode", Text("NEAREST")}},
           {{"input", {p}}});
  const auto data = random_bytes(2 * 3 * 5 * 4, 2);
  EXPECT_EQ(run(build.graph, GetParam(), {data}), run(build.graph, Kernels::scalar, {data}));
}

INSTANTIATE_TEST_SUITE_P(Ops, EveryOp, ::testing::ValuesIn(engines()),
                         [](const auto& chosen) { return test_name_of(chosen.param); });

TEST(Pool, FindsTheReciprocalsOfTheDpu) {
  const auto is = [](int kh, int kw, std::int64_t factor, int shift) {
    const auto found = average_reciprocal(kh, kw);
    return found.factor == factor && found.shift == shift;
  };
  EXPECT_TRUE(is(3, 3, 7, 6));
  EXPECT_TRUE(is(7, 7, 21, 10));
  EXPECT_TRUE(is(2, 2, 1, 2));
  EXPECT_TRUE(is(1, 1, 1, 0));
  EXPECT_TRUE(is(8, 8, 1, 6));
}

TEST(Crossing, RoundsAndSaturatesAnything) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(quantize(2.5F, 0, RoundMode::half_up), 3);
  EXPECT_EQ(quantize(-2.5F, 0, RoundMode::half_up), -2);
  EXPECT_EQ(quantize(-2.5F, 0, RoundMode::half_away), -3);
  EXPECT_EQ(quantize(2.5F, 0, RoundMode::half_even), 2);
  EXPECT_EQ(quantize(inf, 5, RoundMode::half_up), 127);
  EXPECT_EQ(quantize(-inf, -5, RoundMode::half_even), -128);
  EXPECT_EQ(quantize(std::nanf(""), 3, RoundMode::half_up), 0);
  EXPECT_EQ(quantize(3e38F, 127, RoundMode::half_away), 127);
}

}  // namespace
}  // namespace nerone::softdpu::testing
