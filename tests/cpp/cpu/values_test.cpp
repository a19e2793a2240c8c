#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "run_op.hpp"

namespace nerone::cpu::testing {
namespace {

Floats mapped(const Array& array, float (*function)(float)) {
  Floats result(array.values.size());
  std::transform(array.values.begin(), array.values.end(), result.begin(), function);
  return result;
}

TEST(OneValue, FollowsItsFormula) {
  Random random(seed_of_run());
  const auto x = random_array(random, {2, 3, 5, 7});
  EXPECT_EQ(run_op("relu", {}, {{"input", x}}, x.shape), mapped(x, [](float v) { return v > 0 ? v : 0.0F; }));
  EXPECT_EQ(run_op("relu6", {}, {{"input", x}}, x.shape),
            mapped(x, [](float v) { return std::min(std::max(v, 0.0F), 6.0F); }));
  EXPECT_EQ(run_op("neg", {}, {{"input", x}}, x.shape), mapped(x, [](float v) { return -v; }));
  const auto sigmoid = run_op("sigmoid", {}, {{"input", x}}, x.shape);
  for (std::size_t i = 0; i < sigmoid.size(); ++i) {
    EXPECT_NEAR(sigmoid[i], 1 / (1 + std::exp(-static_cast<double>(x.values[i]))), 1e-6);
  }
}

TEST(TwoValues, AreAddedAndMultipliedWithBroadcasting) {
  Random random(seed_of_run());
  const auto a = random_array(random, {2, 3, 4, 5}), row = random_array(random, {1, 1, 1, 5});
  Floats sum(a.values.size()), product(a.values.size());
  for (std::size_t i = 0; i < sum.size(); ++i) {
    sum[i] = a.values[i] + row.values[i % 5];
    product[i] = a.values[i] * row.values[i % 5];
  }
  EXPECT_EQ(run_op("add", {}, {{"input", a}, {"input", row}}, a.shape), sum);
  EXPECT_EQ(run_op("mul", {}, {{"input", a}, {"input", row}}, a.shape), product);
}

// Whole axes behind a cut one are copied as one run: none, some and all of them.
TEST(Slices, HoldTheElementsThatTheyName) {
  Random random(seed_of_run());
  for (int round = 0; round < 200; ++round) {
    const auto x =
        random_array(random, {pick(random, 1, 2), pick(random, 1, 6), pick(random, 1, 6), pick(random, 1, 5)});
    Dims begin(4), end(4), strides(4), shape(4);
    for (std::size_t axis = 0; axis < 4; ++axis) {
      const bool whole = pick(random, 0, 2) == 0;
      begin[axis] = whole ? 0 : pick(random, 0, x.shape[axis] - 1);
      end[axis] = whole ? x.shape[axis] : pick(random, begin[axis] + 1, x.shape[axis]);
      strides[axis] = whole ? 1 : pick(random, 1, 3);
      shape[axis] = (end[axis] - begin[axis] + strides[axis] - 1) / strides[axis];
    }
    Floats expected;
    for (int n = begin[0]; n < end[0]; n += strides[0])
      for (int h = begin[1]; h < end[1]; h += strides[1])
        for (int w = begin[2]; w < end[2]; w += strides[2])
          for (int c = begin[3]; c < end[3]; c += strides[3]) expected.push_back(x.at(n, h, w, c));
    EXPECT_EQ(run_op("strided_slice", {{"begin", begin}, {"end", end}, {"strides", strides}}, {{"input", x}}, shape),
              expected);
  }
}

TEST(Transposes, HoldTheElementsInTheOrderOfTheirAxes) {
  Random random(seed_of_run());
  Dims order{0, 1, 2, 3};
  do {
    const auto x =
        random_array(random, {pick(random, 1, 3), pick(random, 1, 4), pick(random, 1, 4), pick(random, 1, 4)});
    const auto size = [&](int axis) {
      return x.shape[static_cast<std::size_t>(order[static_cast<std::size_t>(axis)])];
    };
    const Dims shape{size(0), size(1), size(2), size(3)};
    Floats expected;
    std::array<int, 4> at{};
    for (int a = 0; a < shape[0]; ++a)
      for (int b = 0; b < shape[1]; ++b)
        for (int c = 0; c < shape[2]; ++c)
          for (int d = 0; d < shape[3]; ++d) {
            const std::array<int, 4> index{a, b, c, d};
            for (std::size_t axis = 0; axis < 4; ++axis) at[static_cast<std::size_t>(order[axis])] = index[axis];
            expected.push_back(x.at(at[0], at[1], at[2], at[3]));
          }
    EXPECT_EQ(run_op("transpose", {{"order", order}}, {{"input", x}}, shape), expected);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Softmax, GivesSharesOfOne) {
  Random random(seed_of_run());
  auto x = random_array(random, {1, 2, 3, 6});
  x.values[0] = 90;  // exp(90) is beyond float32
  const auto shares = run_op("softmax", {{"axis", std::int32_t{-1}}}, {{"input", x}}, x.shape);
  for (std::size_t pixel = 0; pixel < shares.size(); pixel += 6) {
    double total = 0;
    for (std::size_t c = 0; c < 6; ++c) total += std::exp(static_cast<double>(x.values[pixel + c]));
    for (std::size_t c = 0; c < 6; ++c) {
      EXPECT_NEAR(shares[pixel + c], std::exp(static_cast<double>(x.values[pixel + c])) / total, 1e-6);
    }
  }
}

}  // namespace
}  // namespace nerone::cpu::testing
