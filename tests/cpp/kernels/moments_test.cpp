#include "kernels/moments/moments.hpp"

#include "support.hpp"

namespace nerone::kernels::testing {
namespace {

TEST(Moments, EqualTheReferenceRowByRow) {
  for_each_target([] {
    Random random(41);
    for (const DType dtype : pixel_types()) {
      Moments got;
      Moments expected;
      for (const std::size_t count : sizes()) {
        const Pixels pixels(dtype, count, random.below(3), random);
        add_moments(dtype, pixels.data(), count, got);
        scalar::add_moments(dtype, pixels.data(), count, expected);
        ASSERT_EQ(got.phase, expected.phase);
        ASSERT_EQ(got.nonzero, expected.nonzero);
        for (int lane = 0; lane < 16; ++lane) {
          ASSERT_EQ(got.sums[lane], expected.sums[lane]) << name_of(dtype) << " count " << count;
          ASSERT_EQ(got.squares[lane], expected.squares[lane]) << name_of(dtype) << " count " << count;
        }
      }
    }
  });
}

TEST(Moments, MeanAndDeviationOfThePopulation) {
  const std::vector<std::int16_t> values = {0, 0, 2, 4, 4, 4, 5, 5, 7, 9};
  Moments moments;
  add_moments(DType::int16, values.data(), values.size(), moments);
  double mean = 0;
  double deviation = 0;
  moments.mean_deviation(moments.nonzero, mean, deviation);
  EXPECT_EQ(moments.nonzero, 8U);
  EXPECT_DOUBLE_EQ(mean, 5.0);
  EXPECT_DOUBLE_EQ(deviation, 2.0);
  moments.mean_deviation(0, mean, deviation);
  EXPECT_EQ(mean, 0.0);
  EXPECT_EQ(deviation, 0.0);
}

}  // namespace
}  // namespace nerone::kernels::testing
