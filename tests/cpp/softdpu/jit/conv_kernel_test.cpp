#include "softdpu/jit/conv_kernel.hpp"

#include <gtest/gtest.h>

#include "isas.hpp"
#include "packed_images.hpp"
#include "random_conv.hpp"
#include "softdpu/jit/byte_chains.hpp"
#include "softdpu/jit/conv_weights.hpp"
#include "softdpu/jit/depthwise_pairs.hpp"

namespace nerone::softdpu::jit {
namespace {

using test::GuardedBuffer;
using test::PackedImage;
using test::Random;

struct Case {
  Isa isa = Isa::avx512_vnni;
  Conv conv;
  std::vector<ConvGrid> grids;
  Requantization requantization;
  std::vector<std::int8_t> input, expected;
  bool never_negative = false;
};

// A random convolution that the kernels cover; counts the others.
Case random_case(Isa isa, Random& random, int& refused) {
  for (;; ++refused) {
    Case one;
    one.isa = isa;
    one.conv = test::random_conv(random);
    const auto grids = grids_of(one.conv);
    const auto requantization = requantization_of(one.conv);
    if (!grids || !requantization) continue;
    one.grids = *grids;
    one.requantization = *requantization;
    one.input = test::random_bytes(random, static_cast<std::size_t>(one.conv.input.element_count()));
    one.never_negative = test::chance(random, 0.5);
    if (one.never_negative) {
      for (auto& value : one.input) value = static_cast<std::int8_t>(value & 0x7F);
    }
    if (test::chance(random, 0.7)) one.conv.weights = test::smaller(*one.conv.weights, test::pick(random, 1, 4));
    one.expected.resize(static_cast<std::size_t>(one.conv.output.element_count()));
    run_scalar(one.conv, one.input.data(), one.expected.data());
    return one;
  }
}

// A tile that fits the registers, not only the one that would be chosen.
ConvTile random_tile(Random& random, const ConvShape& shape) {
  for (;;) {
    ConvTile tile = choose_tile(shape);
    if (test::chance(random, 0.3)) return tile;
    const int widest = shape.depthwise ? 4 : 24;
    tile.channels = std::min(4 * test::pick(random, 1, widest / 4), shape.channels);
    tile.rows = test::pick(random, 1, 4);
    tile.blocks = test::pick(random, 1, 8);
    tile.fold = 1 << test::pick(random, 0, 2);
    if (is_possible(shape, tile)) return tile;
  }
}

// Runs of groups with words, or with chains of bytes that are no longer than the weights allow.
ConvShape with_random_products(const Case& one, const ConvShape& shape, Random& random) {
  const auto channels = dense_channels(static_cast<int>(one.conv.input.channels));
  const std::vector<bool> never_negative(static_cast<std::size_t>(shape.input_groups), one.never_negative);
  if (shape.depthwise && test::chance(random, 0.7)) {
    ConvShape paired = shape;
    paired.pair_chains = pair_chains_of(one.conv, shape, channels, never_negative);
    return is_possible(paired, choose_tile(paired)) ? paired : shape;
  }
  if (test::chance(random, 0.3)) return with_fastest_products(one.conv, shape, channels, never_negative);
  if (shape.isa != Isa::avx2 || shape.depthwise) return shape;
  ConvShape chained = shape;
  for (int first = 0; first < shape.input_groups;) {
    const int count = test::pick(random, 1, shape.input_groups - first);
    const std::uint8_t most_input = one.never_negative && test::chance(random, 0.7) ? 127 : 255;
    const ChainPlanner planner(one.conv, shape, channels, {first, count}, most_input);
    const bool words = test::chance(random, 0.3);
    const auto lengths = words ? std::vector<int>{} : planner.lengths(test::pick(random, 1, 5));
    chained.runs.push_back({count, {most_input, lengths, !lengths.empty() && test::chance(random, 0.5)}});
    first += count;
  }
  return is_possible(chained, choose_tile(chained)) ? chained : shape;
}

void run_kernels(const Case& one, PackedImage& input, PackedImage& output, bool upsample, Random& random) {
  for (const auto& grid : one.grids) {
    const auto in = input.const_image();
    const auto out = output.image();
    ConvShape whole;
    whole.isa = one.isa;
    whole.grid = grid;
    whole.depthwise = one.conv.depthwise;
    whole.input_groups = in.groups;
    whole.channels = one.conv.depthwise ? in.groups * group_channels : static_cast<int>(one.conv.output.channels);
    whole.input = {in.row_bytes, in.group_bytes};
    whole.output = {out.row_bytes, out.group_bytes};
    whole.requantize = one.requantization.rule;
    whole.upsample = upsample;
    const auto parts = test::chance(random, 0.7) ? split_columns(whole) : std::vector<ConvShape>{whole};
    for (const auto& part : parts) {
      const auto shape = with_random_products(one, part, random);
      const auto tile = random_tile(random, shape);
      const auto weights = pack_weights(one.conv, shape, tile,
                                        dense_channels(static_cast<int>(one.conv.input.channels)), one.requantization);
      const ConvKernel kernel(shape, tile);
      // As threads do that share the image.
      const int threads = test::pick(random, 1, 3);
      for (int i = 0; i < threads; ++i) {
        kernel({in.data, out.data, weights.weights.data(), weights.bias.data(), weights.half_bits.data()},
               Share{i, threads}.of(kernel.tiles()));
      }
    }
  }
}

std::vector<std::int8_t> doubled(const Extents& from, const std::vector<std::int8_t>& pixels) {
  std::vector<std::int8_t> result;
  for (std::int64_t y = 0; y < 2 * from.height; ++y) {
    for (std::int64_t x = 0; x < 2 * from.width; ++x) {
      const auto at = pixels.begin() + (y / 2 * from.width + x / 2) * from.channels;
      result.insert(result.end(), at, at + from.channels);
    }
  }
  return result;
}

void check(const Case& one, Random& random, bool upsample) {
  Extents out = one.conv.output;
  auto expected = one.expected;
  if (upsample) {
    expected = doubled(out, one.expected);
    out.height *= 2;
    out.width *= 2;
  }
  for (const auto side : {GuardedBuffer::Side::lower, GuardedBuffer::Side::upper}) {
    PackedImage input(one.conv.input, pads_of(one.grids, one.conv.input), side);
    PackedImage output(out, {0, 0, test::pick(random, 0, 3)}, side);
    input.set(one.input.data());
    run_kernels(one, input, output, upsample, random);
    ASSERT_TRUE(output.equals(expected.data())) << test::describe(one.conv) << (upsample ? ", upsampled" : "");
  }
}

using ConvKernelTest = test::ForEachIsa;
NERONE_FOR_EACH_ISA(ConvKernelTest);

TEST_P(ConvKernelTest, EqualsTheReference) {
  Random random(test::seed_of_run());
  const int cases = test::cases_of_run(500);
  int refused = 0;
  for (int i = 0; i < cases && !HasFatalFailure(); ++i) check(random_case(isa(), random, refused), random, false);
  // Most of what is drawn has kernels.
  EXPECT_LT(refused, cases / 2 + 20) << "seed " << test::seed_of_run();
}

TEST_P(ConvKernelTest, UpsampledEqualsTheReference) {
  Random random(test::seed_of_run() + 1);
  int refused = 0;
  for (int i = 0; i < test::cases_of_run(200) && !HasFatalFailure();) {
    const auto one = random_case(isa(), random, refused);
    if (one.conv.transposed || one.conv.window.stride_w != 1) continue;
    check(one, random, true);
    ++i;
  }
}

}  // namespace
}  // namespace nerone::softdpu::jit
