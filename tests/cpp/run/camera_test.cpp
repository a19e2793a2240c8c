// A camera's colours, which no test machine has a camera for.
#include "run/camera.hpp"

#include <gtest/gtest.h>

#include <array>

namespace nerone::run {
namespace {

using Rgb = std::array<int, 3>;

// Both pixels of one pair.
std::array<Rgb, 2> converted(unsigned char y0, unsigned char u, unsigned char y1, unsigned char v) {
  const std::array<unsigned char, 4> yuyv = {y0, u, y1, v};
  std::array<char, 6> rgb = {};
  yuyv_to_rgb(yuyv.data(), 2, rgb.data());
  std::array<Rgb, 2> found = {};
  for (std::size_t i = 0; i < rgb.size(); ++i) found[i / 3][i % 3] = static_cast<unsigned char>(rgb[i]);
  return found;
}

void expect_near(const Rgb& got, const Rgb& wanted) {
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(got[i], wanted[i], 1) << "channel " << i;
}

TEST(Camera, GreyKeepsItsLevelAndRange) {
  const auto [black, white] = converted(16, 128, 235, 128);
  expect_near(black, {0, 0, 0});
  expect_near(white, {255, 255, 255});
}

// The primaries of ITU-R BT.601 in limited range.
TEST(Camera, PrimariesAreThoseOfBt601) {
  expect_near(converted(81, 90, 81, 240)[0], {255, 0, 0});
  expect_near(converted(145, 54, 145, 34)[1], {0, 255, 0});
  expect_near(converted(41, 240, 41, 110)[0], {0, 0, 255});
}

TEST(Camera, BothPixelsOfAPairShareTheirColour) {
  const auto [dark, light] = converted(50, 128, 150, 160);
  EXPECT_LT(dark[0], light[0]);
  EXPECT_NEAR(light[0] - dark[0], light[2] - dark[2], 1);
}

}  // namespace
}  // namespace nerone::run
