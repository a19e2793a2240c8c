#include "kernels/argmax/argmax.hpp"

#include "support.hpp"

namespace nerone::kernels::testing {
namespace {

TEST(Argmax, EqualsTheReferenceForEveryNumberOfChannels) {
  for_each_target([] {
    Random random(61);
    for (std::size_t channels = 1; channels <= 40; ++channels) {
      for (const std::size_t pixels : sizes()) {
        // Few values make many ties; the array ends where its allocation ends.
        std::vector<std::int8_t> values(pixels * channels + 1);
        const bool ties = random.below(2) == 0;
        for (auto& v : values) v = static_cast<std::int8_t>(ties ? random.below(3) * 127 : random.next() >> 40);
        std::vector<std::uint8_t> got(pixels, 99);
        std::vector<std::uint8_t> expected(pixels, 11);
        argmax(values.data() + 1, pixels, channels, got.data());
        scalar::argmax(values.data() + 1, pixels, channels, expected.data());
        ASSERT_EQ(got, expected) << channels << " channels, " << pixels << " pixels";
      }
    }
  });
}

TEST(Argmax, FirstMaximumWinsAtTheLastChannelToo) {
  for_each_target([] {
    for (const std::size_t channels : {2, 3, 4, 6, 8, 13, 256}) {
      for (std::size_t first = 0; first < channels; ++first) {
        const std::size_t pixels = 70;
        std::vector<std::int8_t> values(pixels * channels, -128);
        for (std::size_t p = 0; p < pixels; ++p) {
          for (std::size_t c = first; c < channels; c += 2) values[p * channels + c] = first == 0 ? -128 : 127;
        }
        std::vector<std::uint8_t> got(pixels);
        argmax(values.data(), pixels, channels, got.data());
        ASSERT_EQ(got, std::vector<std::uint8_t>(pixels, static_cast<std::uint8_t>(first)));
      }
    }
  });
}

TEST(Argmax, RealValuesFollowNumpy) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values = {1, 3, 3, nan, 5, nan, -1, -2, nan, -5, -5, -6};
  std::vector<std::uint8_t> got(4);
  argmax(values.data(), 4, 3, got.data());
  EXPECT_EQ(got, (std::vector<std::uint8_t>{1, 0, 2, 0}));
  std::vector<std::int8_t> many(1000, -3);
  many[700] = many[900] = 5;
  std::uint16_t winner = 0;
  argmax_wide(many.data(), 1, 1000, &winner);
  EXPECT_EQ(winner, 700);
}

}  // namespace
}  // namespace nerone::kernels::testing
