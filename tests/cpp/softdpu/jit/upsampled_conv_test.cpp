#include "softdpu/jit/upsampled_conv.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "isas.hpp"
#include "packed_images.hpp"
#include "random_conv.hpp"

namespace nerone::softdpu::jit {
namespace {

using test::Random;

// The convolution's input: a small image enlarged by two and a large one, in either order.
struct Case {
  Extents small, large;
  bool large_first = false, small_never_negative = false, large_never_negative = false;
  std::vector<std::int8_t> small_pixels, large_pixels;
  Conv conv;

  int first_of_small() const { return large_first ? static_cast<int>(large.channels) : 0; }
  int first_of_large() const { return large_first ? 0 : static_cast<int>(small.channels); }

  std::vector<std::int8_t> concatenated() const {
    const auto channels = conv.input.channels;
    std::vector<std::int8_t> pixels(static_cast<std::size_t>(conv.input.element_count()));
    for (std::int64_t y = 0; y < conv.input.height; ++y) {
      for (std::int64_t x = 0; x < conv.input.width; ++x) {
        const auto to = pixels.begin() + (y * conv.input.width + x) * channels;
        const auto half = small_pixels.begin() + (y / 2 * small.width + x / 2) * small.channels;
        const auto full = large_pixels.begin() + (y * large.width + x) * large.channels;
        std::copy(half, half + small.channels, to + first_of_small());
        std::copy(full, full + large.channels, to + first_of_large());
      }
    }
    return pixels;
  }
};

// Half of the times.
bool make_never_negative(Random& random, std::vector<std::int8_t>& pixels) {
  if (test::chance(random, 0.5)) return false;
  for (auto& pixel : pixels) pixel = static_cast<std::int8_t>(pixel & 0x7F);
  return true;
}

std::vector<bool> of_each_group(const Extents& image, bool value) {
  return std::vector<bool>(static_cast<std::size_t>(divide_up(static_cast<int>(image.channels), group_channels)),
                           value);
}

Case random_case(Random& random) {
  Case one;
  const int most = test::chance(random, 0.3) ? 35 : 12;
  one.small = {1, test::pick(random, 1, most), test::pick(random, 1, 35), test::pick(random, 1, 40)};
  one.large = {1, 2 * one.small.height, 2 * one.small.width, test::chance(random, 0.2) ? 0 : test::pick(random, 1, 20)};
  one.large_first = test::chance(random, 0.5);
  one.small_pixels = test::random_bytes(random, static_cast<std::size_t>(one.small.element_count()));
  one.large_pixels = test::random_bytes(random, static_cast<std::size_t>(one.large.element_count()));
  Extents input = one.large;
  input.channels += one.small.channels;
  do {
    one.conv = test::same_conv(random, input, test::pick(random, 1, 40));
  } while (!can_read_upsampled(one.conv));
  if (test::chance(random, 0.7)) one.conv.weights = test::smaller(*one.conv.weights, test::pick(random, 1, 4));
  one.small_never_negative = make_never_negative(random, one.small_pixels);
  one.large_never_negative = make_never_negative(random, one.large_pixels);
  return one;
}

ChannelMap channels_from(int first, std::int64_t count) {
  auto map = dense_channels(static_cast<int>(count));
  for (auto& channel : map) channel += channel < 0 ? 0 : first;
  return map;
}

Image without_data(Image image) {
  image.data = nullptr;
  return image;
}

void check(Isa isa, const Case& one, Random& random) {
  std::vector<std::int8_t> expected(static_cast<std::size_t>(one.conv.output.element_count()));
  run_scalar(one.conv, one.concatenated().data(), expected.data());
  for (const auto side : {test::GuardedBuffer::Side::lower, test::GuardedBuffer::Side::upper}) {
    test::PackedImage small(one.small, {0, 0, test::pick(random, 0, 2)}, side);
    test::PackedImage large(one.large, pads_of(*grids_of(one.conv), one.conv.input), side);
    test::PackedImage output(one.conv.output, {0, 0, test::pick(random, 0, 3)}, side);
    small.set(one.small_pixels.data());
    large.set(one.large_pixels.data());
    const UpsampledConv kernel(
        one.conv, {without_data(small.image()), without_data(large.image()), without_data(output.image())},
        {channels_from(one.first_of_small(), one.small.channels),
         channels_from(one.first_of_large(), one.large.channels), of_each_group(one.small, one.small_never_negative),
         of_each_group(one.large, one.large_never_negative)},
        isa);
    test::GuardedBuffer scratch(kernel.scratch_bytes(), side);
    // Twice: the scratch memory holds what the first run, or another step, left there.
    for (int run = 0; run < 2; ++run) {
      const int threads = test::pick(random, 1, 3);
      for (int i = 0; i < threads; ++i) {
        kernel(small.image().data, large.image().data, output.image().data, scratch.data(), {i, threads});
      }
      ASSERT_TRUE(output.equals(expected.data()))
          << one.small.channels << " enlarged" << (one.large_first ? " behind, " : ", ") << test::describe(one.conv);
    }
  }
}

using UpsampledConvTest = test::ForEachIsa;
NERONE_FOR_EACH_ISA(UpsampledConvTest);

TEST_P(UpsampledConvTest, EqualsTheReferenceOnTheEnlargedImage) {
  Random random(test::seed_of_run());
  for (int i = 0; i < test::cases_of_run(150) && !HasFailure(); ++i) check(isa(), random_case(random), random);
}

TEST(UpsampledConvChoice, LeavesOtherShapesToOtherKernels) {
  Random random(test::seed_of_run());
  Conv conv;
  do {
    conv = test::same_conv(random, {1, 8, 8, 16}, 8);
  } while (!can_read_upsampled(conv));
  auto odd = conv;
  odd.input.width = odd.output.width = 7;
  EXPECT_FALSE(can_read_upsampled(odd));
  auto strided = conv;
  strided.window.stride_w = 2;
  EXPECT_FALSE(can_read_upsampled(strided));
  auto depthwise = conv;
  depthwise.depthwise = true;
  EXPECT_FALSE(can_read_upsampled(depthwise));
  auto left = conv;
  left.shift_cut = -1;
  EXPECT_FALSE(can_read_upsampled(left));
}

TEST(UpsampledConvChoice, IsChosenWhereItSavesTime) {
  Random random(test::seed_of_run());
  const auto wide = test::same_conv(random, {1, 64, 64, 32}, 16);
  for (const auto isa : {Isa::avx512_vnni, Isa::avx_vnni, Isa::avx2}) EXPECT_TRUE(is_faster_upsampled(isa, wide, 8));
  EXPECT_FALSE(is_faster_upsampled(Isa::avx512_vnni, wide, 1));
  // Half of the only vector would be empty.
  EXPECT_FALSE(is_faster_upsampled(Isa::avx512_vnni, test::same_conv(random, {1, 16, 16, 8}, 16), 2));
}

}  // namespace
}  // namespace nerone::softdpu::jit
