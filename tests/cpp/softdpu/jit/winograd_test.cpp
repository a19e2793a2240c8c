#include "softdpu/jit/winograd.hpp"

#include <gtest/gtest.h>

#include "isas.hpp"
#include "packed_images.hpp"
#include "random_conv.hpp"
#include "softdpu/jit/conv_shape.hpp"

namespace nerone::softdpu::jit {
namespace {

using test::Random;

Image without_data(Image image) {
  image.data = nullptr;
  return image;
}

Conv random_case(Random& random) {
  Conv conv;
  do {
    const Extents input{1, test::pick(random, 1, 20), test::pick(random, 1, 40), test::pick(random, 1, 48)};
    conv = test::same_conv(random, input, test::pick(random, 1, 20));
    if (test::chance(random, 0.3) && input.height > 2 && input.width > 2) {  // without pads
      conv.window.pad_top = conv.window.pad_bottom = conv.window.pad_left = conv.window.pad_right = 0;
      conv.output.height = input.height - 2;
      conv.output.width = input.width - 2;
    }
  } while (!can_use_winograd(conv));
  return conv;
}

void check(const Conv& conv, Random& random) {
  const auto pixels = test::random_bytes(random, static_cast<std::size_t>(conv.input.element_count()));
  std::vector<std::int8_t> expected(static_cast<std::size_t>(conv.output.element_count()));
  run_scalar(conv, pixels.data(), expected.data());
  for (const auto side : {test::GuardedBuffer::Side::lower, test::GuardedBuffer::Side::upper}) {
    test::PackedImage input(conv.input, pads_of(*grids_of(conv), conv.input), side);
    test::PackedImage output(conv.output, {0, 0, test::pick(random, 0, 3)}, side);
    input.set(pixels.data());
    const WinogradConv kernel(conv, without_data(input.image()), without_data(output.image()),
                              dense_channels(static_cast<int>(conv.input.channels)));
    test::GuardedBuffer scratch(kernel.scratch_bytes(), side);
    // Twice: the scratch memory holds what the first run, or another step, left there.
    for (int run = 0; run < 2; ++run) {
      const int threads = test::pick(random, 1, 3);
      for (int i = 0; i < threads; ++i) kernel(input.image().data, output.image().data, scratch.data(), {i, threads});
      ASSERT_TRUE(output.equals(expected.data())) << test::describe(conv);
    }
  }
}

TEST(WinogradConvTest, EqualsTheReference) {
  if (!is_supported(Isa::avx2)) GTEST_SKIP() << "this processor has no avx2";
  Random random(test::seed_of_run());
  for (int i = 0; i < test::cases_of_run(300) && !HasFailure(); ++i) check(random_case(random), random);
}

// More tiles than one chunk, and weights at their limits.
TEST(WinogradConvTest, EqualsTheReferenceWithManyChannels) {
  if (!is_supported(Isa::avx2)) GTEST_SKIP() << "this processor has no avx2";
  Random random(test::seed_of_run());
  for (int i = 0; i < 4 && !HasFailure(); ++i) {
    Conv conv;
    do {
      conv = test::same_conv(random, {1, 13, 19, 131}, 97);
    } while (!can_use_winograd(conv));
    if (i % 2 == 0) conv.weights = std::make_shared<std::vector<std::int8_t>>(conv.weights->size(), std::int8_t{-128});
    if (can_use_winograd(conv)) check(conv, random);
  }
}

TEST(WinogradConvChoice, LeavesOtherShapesToOtherKernels) {
  Random random(test::seed_of_run());
  Conv conv;
  do {
    conv = test::same_conv(random, {1, 8, 8, 16}, 8);
  } while (!can_use_winograd(conv));
  auto strided = conv;
  strided.window.stride_w = 2;
  EXPECT_FALSE(can_use_winograd(strided));
  auto depthwise = conv;
  depthwise.depthwise = true;
  EXPECT_FALSE(can_use_winograd(depthwise));
  auto left = conv;
  left.activation.kind = Activation::Kind::none;
  left.shift_cut = -1;
  EXPECT_FALSE(can_use_winograd(left));
}

// 36 products of words take longer than 16 and the sums around them; a layer of one group is mostly those sums.
TEST(WinogradConvChoice, IsCheaperWithManyChannels) {
  Random random(test::seed_of_run());
  for (const int channels : {4, 64}) {
    const auto conv = test::same_conv(random, {1, 32, 32, channels}, channels);
    ConvShape direct;
    direct.isa = Isa::avx2;
    direct.grid = (*grids_of(conv))[0];
    direct.input_groups = channels / group_channels;
    direct.channels = channels;
    const double cost = winograd_cost(conv, channels / group_channels);
    EXPECT_EQ(cost < cost_of(direct), channels == 64);
  }
}

}  // namespace
}  // namespace nerone::softdpu::jit
