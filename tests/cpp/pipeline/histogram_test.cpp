#include "pipeline/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace nerone::pipeline {
namespace {

TEST(Histogram, PercentilesAreWithinTwoPercent) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> distribution(12.0, 2.0);
  Histogram histogram;
  std::vector<double> all;
  for (int i = 0; i < 20'000; ++i) {
    const auto nanoseconds = static_cast<std::int64_t>(distribution(random));
    histogram.add(std::chrono::nanoseconds(nanoseconds));
    all.push_back(static_cast<double>(nanoseconds) * 1e-6);
  }
  std::sort(all.begin(), all.end());
  const auto durations = histogram.durations();
  EXPECT_NEAR(durations.p50_ms, all[9'999], 0.02 * all[9'999]);
  EXPECT_NEAR(durations.p90_ms, all[17'999], 0.02 * all[17'999]);
  EXPECT_NEAR(durations.p99_ms, all[19'799], 0.02 * all[19'799]);
  EXPECT_DOUBLE_EQ(durations.max_ms, all.back());
}

TEST(Histogram, TakesAnyDuration) {
  Histogram histogram;
  EXPECT_EQ(histogram.durations().p99_ms, 0.0);
  for (const auto duration : {std::chrono::nanoseconds(-5), std::chrono::nanoseconds(0), std::chrono::nanoseconds(1),
                              std::chrono::nanoseconds::max()}) {
    histogram.add(duration);
  }
  EXPECT_EQ(histogram.durations().p50_ms, 0.0);
  EXPECT_NEAR(histogram.durations().p99_ms, 9.223e12, 0.02 * 9.223e12);
}

}  // namespace
}  // namespace nerone::pipeline
