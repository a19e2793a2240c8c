#include "kernels/softmax/softmax.hpp"

#include "support.hpp"

namespace nerone::kernels::testing {
namespace {

TEST(Softmax, EqualsTheReference) {
  for_each_target([] {
    Random random(71);
    for (const int fix_point : {-2, 0, 3, 6}) {
      const SoftmaxTable table(fix_point);
      for (std::size_t channels = 1; channels <= 12; ++channels) {
        for (const std::size_t pixels : sizes()) {
          const Pixels values(DType::int8, pixels * channels, random.below(4), random);
          const auto* from = static_cast<const std::int8_t*>(values.data());
          std::vector<float> got(pixels * channels);
          std::vector<float> expected(pixels * channels);
          softmax(from, pixels, channels, table, got.data());
          scalar::softmax(from, pixels, channels, table, expected.data());
          expect_same_bits(got, expected);
        }
      }
    }
  });
}

TEST(Softmax, IsTheFormulaWithinThreeRoundings) {
  Random random(72);
  const SoftmaxTable table(3);
  const Pixels values(DType::int8, 6 * 1000, 0, random);
  const auto* x = static_cast<const std::int8_t*>(values.data());
  std::vector<float> got(6000);
  softmax(x, 1000, 6, table, got.data());
  for (std::size_t p = 0; p < 1000; ++p) {
    double sum = 0;
    for (std::size_t c = 0; c < 6; ++c) sum += std::exp(x[p * 6 + c] / 8.0);
    for (std::size_t c = 0; c < 6; ++c) {
      const double expected = std::exp(x[p * 6 + c] / 8.0) / sum;
      ASSERT_NEAR(got[p * 6 + c], expected, 4e-7 * expected + 1e-30);
    }
  }
}

}  // namespace
}  // namespace nerone::kernels::testing
