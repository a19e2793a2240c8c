#include <gtest/gtest.h>

#include <algorithm>
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
