#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <nerone/device.hpp>

namespace nerone {
namespace {

TEST(SimdTarget, IsTheBestOfThoseBuiltThatTheProcessorHas) {
  const auto built = HWY_TARGETS & hwy::SupportedTargets();
  ASSERT_NE(built, 0);
  // Highway numbers better targets lower.
  EXPECT_EQ(simd_target(), hwy::TargetName(built & -built));
}

}  // namespace
}  // namespace nerone
