// Values worked out by hand, for every engine.

#include <gtest/gtest.h>

#include "graph_builder.hpp"
#include "softdpu/activation.hpp"
#include "softdpu/fixed.hpp"

namespace nerone::softdpu::testing {
namespace {

// One 1x1 convolution with one weight of 1 (fix point 0) and optionally a bias: y = R(act((2x + b2) / 2^(cut + 1))).
Bytes8 shifted(Kernels kernels, const Bytes8& x, int cut, const std::string& nonlinear = "NONE", int bias = 0,
               int bias_fix_point = 0) {
  GraphBuilder build;
  const auto width = static_cast<std::int32_t>(x.size());
  const auto source = build.input("x", {1, 1, width, 1}, 0);
  const auto y = build.conv("y", source, {1, 1, width, 1}, -cut, {1, 1}, {1}, 0, nonlinear);
  if (bias != 0) {
    const auto b = build.constant("b", {1}, bias_fix_point, {static_cast<std::int8_t>(bias)});
    // The bias has to come before its reader.
    std::swap(build.graph.ops[y], build.graph.ops[b]);
    build.graph.ops[b].inputs["bias"] = {y};
  }
  return run(build.graph, kernels, {x});
}

class EveryEngine : public ::testing::TestWithParam<Kernels> {};

TEST_P(EveryEngine, RoundsHalvesUp) {
  EXPECT_EQ(shifted(GetParam(), {-3, -2, -1, 0, 1, 2, 3, 127, -128}, 1), (Bytes8{-1, -1, 0, 0, 1, 1, 2, 64, -64}));
  EXPECT_EQ(shifted(GetParam(), {-128, -127, -64, -63, 63, 64, 127}, 7), (Bytes8{-1, -1, 0, 0, 0, 1, 1}));
}

TEST_P(EveryEngine, SaturatesWhereTheShiftGoesLeft) {
  EXPECT_EQ(shifted(GetParam(), {-128, -65, -64, -1, 0, 1, 63, 64, 127}, -1),
            (Bytes8{-128, -128, -128, -2, 0, 2, 126, 127, 127}));
  EXPECT_EQ(shifted(GetParam(), {-1, 0, 1}, -40), (Bytes8{-128, 0, 127}));
  EXPECT_EQ(shifted(GetParam(), {-1, 0, 1}, -120), (Bytes8{-128, 0, 127}));
}

TEST_P(EveryEngine, VanishesBehindALongShift) {
  for (const int cut : {8, 20, 31, 62, 63, 64, 120}) {
    EXPECT_EQ(shifted(GetParam(), {-128, -1, 0, 127}, cut), (Bytes8{0, 0, 0, 0})) << cut;
  }
}

TEST_P(EveryEngine, KeepsHalfABitOfTheBias) {
  // floor(2 * b * 2^-1) = 3: one and a half steps; floor(2 * b * 2^-2) = -1 for b = -1.
  EXPECT_EQ(shifted(GetParam(), {0, 1, -2}, 0, "NONE", 3, 1), (Bytes8{2, 3, 0}));
  EXPECT_EQ(shifted(GetParam(), {0, 1, 2}, 1, "NONE", -1, 2), (Bytes8{0, 0, 1}));
  EXPECT_EQ(shifted(GetParam(), {0, 1}, 0, "NONE", -1, 100), (Bytes8{0, 1}));
  EXPECT_EQ(shifted(GetParam(), {0, 1, -1}, 0, "NONE", 1, -120), (Bytes8{127, 127, 127}));
}

TEST_P(EveryEngine, AppliesActivationsBeforeRounding) {
  EXPECT_EQ(shifted(GetParam(), {-128, -1, 0, 1, 127}, 0, "RELU"), (Bytes8{0, 0, 0, 1, 127}));
  // Output fix point 0, at most 4: 6.0 would be 96.
  EXPECT_EQ(shifted(GetParam(), {-5, 95, 96, 97, 127}, 0, "RELU6"), (Bytes8{0, 95, 96, 96, 96}));
  EXPECT_EQ(shifted(GetParam(), {-5, 5, 50}, -5, "RELU6"), (Bytes8{0, 127, 127}));
  // -128 * 26 / 256 = -13; -5 * 26 / 256 = -0.508; -4 * 26 / 256 = -0.406.
  EXPECT_EQ(shifted(GetParam(), {-128, -5, -4, 7}, 0, "LEAKYRELU"), (Bytes8{-13, -1, 0, 7}));
  EXPECT_EQ(shifted(GetParam(), {-128, -1}, -9, "LEAKYRELU"), (Bytes8{-128, -52}));
}

TEST_P(EveryEngine, AddsUpTheLargestSumsExactly) {
  constexpr int channels = 2048;
  GraphBuilder build;
  const auto source = build.input("x", {1, 1, 1, channels}, 0);
  build.conv("y", source, {1, 1, 1, 2}, -20, {1, 1}, Bytes8(2 * channels, std::int8_t{-128}), 0);
  // 2048 * 2^14 = 2^25: 32 steps of 2^20, exactly.
  EXPECT_EQ(run(build.graph, GetParam(), {Bytes8(channels, std::int8_t{-128})}), (Bytes8{32, 32}));
  // One less in one of the inputs: 32 - 2^-13, which rounds to 32 again; a tie broken downwards needs half a step.
  Bytes8 x(channels, std::int8_t{-128});
  x[0] = 127;
  EXPECT_EQ(run(build.graph, GetParam(), {x}), (Bytes8{32, 32}));
}

INSTANTIATE_TEST_SUITE_P(Conv, EveryEngine, ::testing::ValuesIn(engines()),
                         [](const auto& chosen) { return test_name_of(chosen.param); });

TEST(Fixed, RoundsExactlyForEveryShift) {
  for (int shift = -70; shift <= 70; ++shift) {
    for (const std::int64_t value : {-fixed_limit, std::int64_t{-12345}, std::int64_t{-1}, std::int64_t{0},
                                     std::int64_t{1}, std::int64_t{99}, fixed_limit}) {
      const long double exact = std::floor(std::ldexp(static_cast<long double>(value), -shift) + 0.5L);
      EXPECT_EQ(round_shift(value, shift), std::max(-128.0L, std::min(127.0L, exact))) << value << " >> " << shift;
    }
  }
}

TEST(HardSigmoid, FollowsItsFormula) {
  for (int in = -8; in <= 8; ++in) {
    for (int t = -128; t < 128; ++t) {
      const double x = std::min(4294967296.0, std::max(0.0, 2731.0 * t + 3 * 2731 * std::ldexp(1.0, in)));
      const double y = std::floor(std::ldexp(x, -11) + 0.5);
      EXPECT_EQ(hard_sigmoid(t, {in, 11}), std::min(127.0, y)) << t << ", " << in;
    }
  }
}

}  // namespace
}  // namespace nerone::softdpu::testing
