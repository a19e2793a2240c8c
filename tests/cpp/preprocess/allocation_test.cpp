#include <gtest/gtest.h>

#include "images.hpp"
#include "pipeline/allocations.hpp"

namespace nerone::preprocess::testing {
namespace {

using pipeline::testing::allocation_count;

void expect_no_allocation(const Steps& steps, std::vector<std::int64_t> shape, Shape result) {
  auto values = pixels(static_cast<std::size_t>(shape[0] * shape[1] * shape[2]));
  Image image = image_of(values, shape);
  image.spacing_mm = Spacing{0.9, 0.9};
  std::vector<std::int8_t> out(static_cast<std::size_t>(result.height * result.width * result.channels));
  const auto destination =
      TensorView::contiguous(out.data(), DType::int8, {1, result.height, result.width, result.channels});
  Preprocess preprocess(steps);
  preprocess.run(image, 6, destination);
  const auto before = allocation_count();
  for (int frame = 0; frame < 5; ++frame) preprocess.run(image, 6, destination);
  EXPECT_EQ(allocation_count() - before, 0U);
}

TEST(Allocation, NoneForAnImageLikeTheOneBefore) {
  const auto before = allocation_count();
  { std::vector<int> counted(1); }
  ASSERT_GT(allocation_count() - before, 0U) << "allocations are not counted";
  expect_no_allocation(ct_org(), {300, 320, 1}, {256, 256, 1});
  expect_no_allocation(brats(), {240, 240, 4}, {240, 240, 4});
  expect_no_allocation(prostate(), {200, 210, 1}, {256, 256, 1});
  expect_no_allocation(bccd(), {240, 320, 3}, {200, 250, 3});
  expect_no_allocation(z_scored(), {30, 41, 4}, {30, 41, 4});
}

}  // namespace
}  // namespace nerone::preprocess::testing
