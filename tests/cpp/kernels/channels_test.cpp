#include "kernels/channels/channels.hpp"

#include "kernels/dequantize/dequantize.hpp"
#include "kernels/transpose/transpose.hpp"
#include "support.hpp"

namespace nerone::kernels::testing {
namespace {

TEST(Channels, SplitAndMergeEqualTheReference) {
  for_each_target([] {
    Random random(31);
    for (const std::size_t channels : {1, 2, 3, 4, 5, 6}) {
      for (const std::size_t count : sizes()) {
        std::vector<float> row(channels * count);
        for (auto& x : row) x = random.real(-1, 1);
        std::vector<std::vector<float>> planes(channels, std::vector<float>(count));
        auto expected = planes;
        std::vector<float*> to;
        std::vector<float*> expected_to;
        std::vector<const float*> from;
        for (std::size_t c = 0; c < channels; ++c) {
          to.push_back(planes[c].data());
          expected_to.push_back(expected[c].data());
          from.push_back(planes[c].data());
        }
        split_channels(row.data(), channels, count, to.data());
        scalar::split_channels(row.data(), channels, count, expected_to.data());
        ASSERT_EQ(planes, expected);
        std::vector<float> back(row.size());
        merge_channels(from.data(), channels, count, back.data());
        ASSERT_EQ(back, row);
      }
    }
  });
}

TEST(Transpose, EqualsTheReference) {
  for_each_target([] {
    Random random(32);
    for (const std::size_t item : {1, 2, 4}) {
      for (const std::size_t height : {1, 3, 4, 8, 16, 17, 40}) {
        for (const std::size_t width : {1, 4, 7, 8, 15, 16, 33}) {
          const std::size_t stride = (height + random.below(3)) * item;
          std::vector<std::uint8_t> columns(stride * (width - 1) + height * item);
          for (auto& byte : columns) byte = static_cast<std::uint8_t>(random.next() >> 40);
          std::vector<std::uint8_t> got(height * width * item, 1);
          std::vector<std::uint8_t> expected(height * width * item, 2);
          transpose(columns.data(), static_cast<std::ptrdiff_t>(stride), item, height, width, got.data());
          scalar::transpose(columns.data(), static_cast<std::ptrdiff_t>(stride), item, height, width, expected.data());
          ASSERT_EQ(got, expected) << item << " bytes, " << height << " x " << width;
          const auto* last = columns.data() + stride * (width - 1);
          transpose(last, -static_cast<std::ptrdiff_t>(stride), item, height, width, got.data());
          scalar::transpose(last, -static_cast<std::ptrdiff_t>(stride), item, height, width, expected.data());
          ASSERT_EQ(got, expected) << "right to left";
        }
      }
    }
  });
}

TEST(Dequantize, EqualsTheReference) {
  for_each_target([] {
    Random random(33);
    for (const std::size_t count : sizes()) {
      const Pixels values(DType::int8, count, random.below(4), random);
      std::vector<float> got(count);
      std::vector<float> expected(count);
      for (const int fix_point : {-31, -2, 0, 3, 31}) {
        dequantize(static_cast<const std::int8_t*>(values.data()), count, fix_point, got.data());
        scalar::dequantize(static_cast<const std::int8_t*>(values.data()), count, fix_point, expected.data());
        expect_same_bits(got, expected);
      }
    }
  });
}

}  // namespace
}  // namespace nerone::kernels::testing
