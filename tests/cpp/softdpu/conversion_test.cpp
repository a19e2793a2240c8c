#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "softdpu/plugin/host_conversion.hpp"

namespace nerone::softdpu {
namespace {

std::vector<int> truncated(const std::vector<float>& values, int fix_point) {
  std::vector<std::int8_t> bytes(values.size());
  truncate_to_int8(values.data(), static_cast<std::int64_t>(values.size()), fix_point, bytes.data());
  return {bytes.begin(), bytes.end()};
}

TEST(HostConversion, TruncatesTowardsZero) {
  EXPECT_EQ(truncated({0.99F, -0.99F, 1.5F, -1.5F, 127.9F}, 0), (std::vector<int>{0, 0, 1, -1, 127}));
  EXPECT_EQ(truncated({0.99F, -0.99F}, 6), (std::vector<int>{63, -63}));
  EXPECT_EQ(truncated({300.0F}, -2), (std::vector<int>{75}));
}

TEST(HostConversion, WrapsWithoutSaturation) {
  EXPECT_EQ(truncated({128.0F, 255.0F, 256.0F, -129.0F, 1000.0F}, 0), (std::vector<int>{-128, -1, 0, 127, -24}));
}

TEST(HostConversion, DefinesWhatAProcessorLeavesOpen) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(truncated({inf, -inf, std::nanf(""), 3e9F, -3e9F, 2147483520.0F}, 0),
            (std::vector<int>{-1, 0, 0, -1, 0, -128}));
}

TEST(HostConversion, GivesRealValues) {
  const std::vector<std::int8_t> bytes{-128, -1, 0, 3};
  std::vector<float> values(4);
  to_float(bytes.data(), 4, 2, values.data());
  EXPECT_EQ(values, (std::vector<float>{-32.0F, -0.25F, 0.0F, 0.75F}));
  to_float(bytes.data(), 4, -1, values.data());
  EXPECT_EQ(values, (std::vector<float>{-256.0F, -2.0F, 0.0F, 6.0F}));
}

}  // namespace
}  // namespace nerone::softdpu
