#include "softdpu/jit/byte_chains.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "packed_images.hpp"
#include "softdpu/jit/conv_kernel.hpp"

namespace nerone::softdpu::jit {
namespace {

// A 1x1 convolution of eight pixels; every output channel has these weights.
Conv pointwise(const std::vector<std::int8_t>& weights) {
  Conv conv;
  const auto channels = static_cast<std::int64_t>(weights.size());
  conv.input = {1, 1, 8, channels};
  conv.output = {1, 1, 8, 4};
  conv.weights = std::make_shared<const std::vector<std::int8_t>>([&] {
    std::vector<std::int8_t> all;
    for (int channel = 0; channel < 4; ++channel) all.insert(all.end(), weights.begin(), weights.end());
    return all;
  }());
  conv.shift_cut = 8;
  return conv;
}

ConvShape shape_of(const Conv& conv) {
  ConvShape shape;
  shape.isa = Isa::avx2;
  shape.grid = (*grids_of(conv))[0];
  shape.input_groups = divide_up(static_cast<int>(conv.input.channels), group_channels);
  shape.channels = static_cast<int>(conv.output.channels);
  return shape;
}

std::vector<int> lengths_of(const std::vector<std::int8_t>& weights, std::uint8_t most_input) {
  const auto conv = pointwise(weights);
  const ChainPlanner planner(conv, shape_of(conv), dense_channels(static_cast<int>(weights.size())),
                             {0, divide_up(static_cast<int>(weights.size()), group_channels)}, most_input);
  return planner.lengths(8);
}

TEST(ByteChains, AddWhatFits16BitsAndNoMore) {
  // A word holds channels 0 and 1, or 2 and 3, of every group: 127 * 258 = 32766.
  EXPECT_EQ(lengths_of({127, 127, 0, 0, 4, 0, 0, 0}, 127), (std::vector<int>{2}));
  EXPECT_EQ(lengths_of({127, 127, 0, 0, 5, 0, 0, 0}, 127), (std::vector<int>{1, 1}));
  EXPECT_EQ(lengths_of({0, 0, -128, -128, 0, 0, -2, 0}, 127), (std::vector<int>{2}));
  EXPECT_EQ(lengths_of({0, 0, -128, -128, 0, 0, -3, 0}, 127), (std::vector<int>{1, 1}));
  // Positive and negative weights do not help one another: an input of 0 takes one of them away.
  EXPECT_EQ(lengths_of({127, 127, 0, 0, 100, -100, 0, 0}, 127), (std::vector<int>{1, 1}));
  // 255 * 128 = 32640.
  EXPECT_EQ(lengths_of({64, 64, 0, 0}, 255), (std::vector<int>{1}));
  EXPECT_EQ(lengths_of({65, 64, 0, 0}, 255), std::vector<int>{});
}

TEST(ByteChains, AreNotLongerThanAsked) {
  const std::vector<std::int8_t> weights(32, 1);
  const auto conv = pointwise(weights);
  const ChainPlanner planner(conv, shape_of(conv), dense_channels(32), {0, 8}, 127);
  EXPECT_EQ(planner.lengths(3), (std::vector<int>{3, 3, 2}));
}

TEST(ByteChains, AreLeftOutForGroupsWhoseWeightsAreTooLarge) {
  const auto conv = pointwise({127, 127, 0, 0, 1, 1, 1, 1});
  auto shape = shape_of(conv);
  shape.input = shape.output = {64, 64};
  const auto chosen = with_fastest_products(conv, shape, dense_channels(8), {false, true});
  ASSERT_EQ(chosen.runs.size(), 2U);
  EXPECT_FALSE(chosen.runs[0].chains.are_used());
  EXPECT_TRUE(chosen.runs[1].chains.are_used());
  EXPECT_EQ(chosen.runs[1].chains.most_input, 127);
}

// Planned once for the whole row, the chains are those that each part would get by itself.
TEST(ByteChains, HoldForPartsOfTheColumns) {
  Conv conv = pointwise({127, 127, 0, 0, 60, 0, 0, 0, 1, 1, 1, 1});
  conv.input.height = conv.output.height = 8;
  conv.input.width = conv.output.width = 9;
  auto whole = shape_of(conv);
  whole.input = whole.output = {192, 64};
  const std::vector<bool> never_negative{true, true, false};
  const ProductPlanner planner(conv, whole, dense_channels(12), never_negative);
  const auto parts = split_columns(whole);
  ASSERT_EQ(parts.size(), 2U);
  for (const auto& part : parts) {
    const auto runs = planner.with_fastest(part).runs;
    const auto alone = with_fastest_products(conv, part, dense_channels(12), never_negative).runs;
    ASSERT_EQ(runs.size(), alone.size());
    EXPECT_FALSE(runs.empty());
    for (std::size_t i = 0; i < runs.size(); ++i) {
      EXPECT_EQ(runs[i].groups, alone[i].groups);
      EXPECT_EQ(runs[i].chains.most_input, alone[i].chains.most_input);
      EXPECT_EQ(runs[i].chains.lengths, alone[i].chains.lengths);
    }
  }
}

TEST(ByteChains, AreExactAtTheLimit) {
  if (!is_supported(Isa::avx2)) GTEST_SKIP() << "this processor has no AVX2";
  for (const auto& weights : {std::vector<std::int8_t>{127, 127, -128, -128, 4, 0, -2, 0},
                              std::vector<std::int8_t>{127, 127, -128, -128, 0, 4, 0, -2}}) {
    const auto conv = pointwise(weights);
    std::vector<std::int8_t> input(static_cast<std::size_t>(conv.input.element_count()), 127);
    for (std::size_t i = 0; i < 8; ++i) input[i] = i % 4 < 2 ? 127 : 0;  // of the first pixel
    std::vector<std::int8_t> expected(static_cast<std::size_t>(conv.output.element_count()));
    run_scalar(conv, input.data(), expected.data());
    EXPECT_EQ(expected[0], 127);
    test::PackedImage from(conv.input, {}, test::GuardedBuffer::Side::upper);
    test::PackedImage to(conv.output, {}, test::GuardedBuffer::Side::upper);
    from.set(input.data());
    auto shape = shape_of(conv);
    shape.input = {from.const_image().row_bytes, from.const_image().group_bytes};
    shape.output = {to.image().row_bytes, to.image().group_bytes};
    shape.requantize = requantization_of(conv)->rule;
    shape.runs = {{2, {127, {2}}}};
    const auto tile = choose_tile(shape);
    const auto packed = pack_weights(conv, shape, tile, dense_channels(8), *requantization_of(conv));
    const ConvKernel kernel(shape, tile);
    kernel({from.const_image().data, to.image().data, packed.weights.data(), packed.bias.data(), nullptr});
    EXPECT_TRUE(to.equals(expected.data()));
  }
}

}  // namespace
}  // namespace nerone::softdpu::jit
