#include <algorithm>

#include "kernels/resize/combine.hpp"
#include "support.hpp"

namespace nerone::kernels::testing {
namespace {

TEST(CombineRows, EqualsTheReference) {
  for_each_target([] {
    Random random(21);
    for (const DType dtype : pixel_types()) {
      for (const std::size_t taps : {1, 2, 3, 4, 5, 6}) {
        for (const std::size_t count : sizes()) {
          std::vector<Pixels> rows;
          std::vector<const void*> pointers;
          std::vector<float> weights(taps);
          for (auto& w : weights) w = random.real(-0.5F, 1.0F);
          for (std::size_t k = 0; k < taps; ++k) rows.emplace_back(dtype, count, random.below(3), random);
          for (const auto& row : rows) pointers.push_back(row.data());
          const float constant = random.below(2) == 0 ? 0.0F : random.real(-10, 10);
          std::vector<float> got(count, 99);
          std::vector<float> expected(count, 11);
          combine_rows(dtype, pointers.data(), weights.data(), taps, constant, count, got.data());
          scalar::combine_rows(dtype, pointers.data(), weights.data(), taps, constant, count, expected.data());
          expect_same_bits(got, expected);
        }
      }
    }
  });
}

TEST(CombineColumns, EqualsTheReferenceForEveryReduction) {
  for_each_target([] {
    Random random(22);
    for (const std::size_t taps : {1, 2, 4, 5, 6, 9}) {
      for (const std::size_t count : sizes()) {
        const std::size_t row_count = 1 + random.below(2 * row_batch + 1);
        const float step = random.real(0.2F, 5.0F);
        const std::size_t begin = random.below(3);
        const auto width = static_cast<std::size_t>(static_cast<float>(count) * step) + taps + 1 + begin;
        std::vector<std::vector<float>> rows(row_count, std::vector<float>(width + row_margin));
        for (auto& row : rows) {
          for (auto& x : row) x = random.real(-100, 100);
        }
        std::vector<std::int32_t> first(count);
        for (std::size_t x = 0; x < count; ++x) {
          first[x] = static_cast<std::int32_t>(begin) + static_cast<std::int32_t>(static_cast<float>(x) * step);
        }
        std::vector<float> weights(taps * count);
        std::vector<float> constants(count);
        for (auto& w : weights) w = random.real(-0.5F, 1.0F);
        for (auto& c : constants) c = random.real(-5, 5);
        const float* more = random.below(2) == 0 ? nullptr : constants.data();
        std::vector<std::vector<float>> got(row_count, std::vector<float>(count, 99));
        std::vector<float> expected(count, 11);
        std::vector<const float*> from;
        std::vector<float*> to;
        for (const auto& row : rows) from.push_back(row.data());
        for (auto& row : got) to.push_back(row.data());
        std::vector<float> scratch(row_batch * (width + row_margin));
        combine_columns(from.data(), row_count, first.data(), weights.data(), count, taps, more, count, to.data(),
                        scratch.data());
        for (std::size_t r = 0; r < row_count; ++r) {
          scalar::combine_columns(from[r], first.data(), weights.data(), count, taps, more, count, expected.data());
          expect_same_bits(got[r], expected);
        }
      }
    }
  });
}

}  // namespace
}  // namespace nerone::kernels::testing
