#include "kernels/percentile/percentile.hpp"

#include <algorithm>

#include "support.hpp"

namespace nerone::kernels::testing {
namespace {

TEST(Percentile, CollectEqualsTheReference) {
  for_each_target([] {
    Random random(51);
    for (const DType dtype : pixel_types()) {
      for (const std::size_t count : sizes()) {
        for (const bool skip_zeros : {false, true}) {
          const Pixels pixels(dtype, count, random.below(3), random);
          std::vector<float> got(count + 16, 0);
          std::vector<float> expected(count + 16, 0);
          const std::size_t kept = collect(dtype, pixels.data(), count, skip_zeros, got.data());
          ASSERT_EQ(kept, scalar::collect(dtype, pixels.data(), count, skip_zeros, expected.data()));
          got.resize(kept);
          expected.resize(kept);
          expect_same_bits(got, expected);
        }
      }
    }
  });
}

// Of a kind: noise, few values, one, all magnitudes, sorted, half of one value, or two that the sample never meets.
std::vector<float> values_of(int kind, std::size_t count, Random& random) {
  std::vector<float> values(count);
  for (auto& x : values) {
    x = kind == 0 || kind == 4 ? random.real(-1000, 1000)
        : kind == 1            ? static_cast<float>(random.below(5))
        : kind == 2            ? 3.25F
        : kind == 3            ? std::ldexp(random.real(-1, 1), static_cast<int>(random.below(120)) - 60)
        : kind == 5            ? std::max(0.0F, random.real(-10, 10))
                               : 1.0F;
  }
  if (kind == 4) std::sort(values.begin(), values.end());
  if (kind == 6) {
    const std::size_t step = (count / 512 - 1) | 1;
    for (std::size_t i = 0; i < count; ++i) values[i] = step > 1 && i % step == 0 ? 1.0F : random.real(-9, 9);
  }
  return values;
}

TEST(Percentile, EqualsSorting) {
  for_each_target([] {
    Random random(52);
    for (const std::size_t count : {1, 2, 3, 10, 100, 101, 1000, 5000, 8192, 8193, 8207, 20000, 65536, 70001}) {
      for (int kind = 0; kind < 7; ++kind) {
        const auto values = values_of(kind, count, random);
        auto sorted = values;
        std::sort(sorted.begin(), sorted.end());
        std::vector<float> scratch(count + 16);
        for (const auto& [low, high] : {std::pair(0.0, 100.0), std::pair(1.0, 99.0), std::pair(49.9, 50.1),
                                        std::pair(33.0, 99.9), std::pair(99.9, 99.9), std::pair(99.0, 1.0)}) {
          const auto got = percentiles(values.data(), count, low, high, scratch.data());
          // Sorted values stay as they are, and are sorted again in a moment.
          const auto expected = scalar::percentiles(sorted.data(), count, low, high, scratch.data());
          ASSERT_EQ(got.low, expected.low) << count << " values of kind " << kind << ", " << low << " %";
          ASSERT_EQ(got.high, expected.high) << count << " values of kind " << kind << ", " << high << " %";
        }
      }
    }
  });
  const auto none = percentiles(nullptr, 0, 1, 99, nullptr);
  EXPECT_EQ(none.low, 0.0F);
  EXPECT_EQ(none.high, 0.0F);
}

}  // namespace
}  // namespace nerone::kernels::testing
