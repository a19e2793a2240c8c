// Code is generated here for every instruction set, for those that this processor lacks too: it need not run.
//
// Two versions of a generator are compared byte for byte by their digests:
//   NERONE_SEED=7 NERONE_JIT_CASES=2000 test_jit --gtest_filter=Jit/ConvCode.* --gtest_output=xml:FILE

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "isas.hpp"
#include "random_conv.hpp"
#include "softdpu/jit/byte_chains.hpp"
#include "softdpu/jit/conv_kernel.hpp"
#include "softdpu/jit/conv_weights.hpp"

namespace nerone::softdpu::jit {
namespace {

using test::Random;

class ConvCode : public testing::TestWithParam<Isa> {};
NERONE_FOR_EACH_ISA(ConvCode);

using Code = std::vector<std::uint8_t>;

Code code_of(const ConvShape& shape) {
  const ConvKernel kernel(shape, choose_tile(shape));
  return {kernel.code(), kernel.code() + kernel.code_bytes()};
}

// FNV-1a, 64 bits.
class Digest {
 public:
  void add(const Code& code) {
    for (const auto byte : code) value_ = (value_ ^ byte) * 0x100000001B3U;
  }
  std::string text() const { return std::to_string(value_); }

 private:
  std::uint64_t value_ = 0xCBF29CE484222325U;
};

ConvShape shape_of(Isa isa, const Conv& conv, const ConvGrid& grid) {
  ConvShape shape;
  shape.isa = isa;
  shape.grid = grid;
  shape.depthwise = conv.depthwise;
  shape.input_groups = divide_up(static_cast<int>(conv.input.channels), group_channels);
  shape.channels = conv.depthwise ? shape.input_groups * group_channels : static_cast<int>(conv.output.channels);
  const auto strides = [](const Extents& extents) {
    const Layout layout(static_cast<int>(extents.height), static_cast<int>(extents.width),
                        divide_up(static_cast<int>(extents.channels), group_channels), {});
    return Strides{layout.row_bytes(), layout.pitch};
  };
  shape.input = strides(conv.input);
  shape.output = strides(conv.output);
  shape.requantize = requantization_of(conv)->rule;
  return shape;
}

// All the kernels that a convolution may be computed with.
std::vector<ConvShape> shapes_of(Isa isa, const Conv& conv, bool never_negative) {
  std::vector<ConvShape> shapes;
  const auto channels = dense_channels(static_cast<int>(conv.input.channels));
  const auto grids = grids_of(conv);
  for (const auto& grid : *grids) {
    const auto whole = shape_of(isa, conv, grid);
    const std::vector<bool> known(static_cast<std::size_t>(whole.input_groups), never_negative);
    for (const auto& part : split_columns(whole)) {
      shapes.push_back(with_fastest_products(conv, part, channels, known));
      if (conv.transposed || conv.window.stride_w != 1) continue;
      shapes.push_back(part);
      shapes.back().upsample = true;
    }
    if (conv.transposed || conv.depthwise) continue;
    for (const bool stores : {false, true}) {
      shapes.push_back(whole);
      shapes.back().grid.fold = 1;
      shapes.back().stores_sums = stores;
      if (!stores) shapes.back().first_sums = Strides{4096, 1024};
    }
  }
  return shapes;
}

TEST_P(ConvCode, IsGeneratedAlikeEachTime) {
  Random random(test::seed_of_run());
  Digest digest;
  std::size_t bytes = 0;
  for (int i = 0; i < test::cases_of_run(20); ++i) {
    Conv conv = test::random_conv(random);
    if (test::chance(random, 0.7)) conv.weights = test::smaller(*conv.weights, test::pick(random, 1, 4));
    const bool never_negative = test::chance(random, 0.5);
    if (!grids_of(conv) || !requantization_of(conv)) continue;
    for (const auto& shape : shapes_of(GetParam(), conv, never_negative)) {
      if (!is_possible(shape, choose_tile(shape))) continue;
      const auto code = code_of(shape);
      ASSERT_EQ(code, code_of(shape)) << test::describe(conv);
      digest.add(code);
      bytes += code.size();
    }
  }
  EXPECT_GT(bytes, 0U);
  RecordProperty("code_bytes", std::to_string(bytes));
  RecordProperty("digest", digest.text());
}

// vpdpbusd of whole registers behind an EVEX prefix, or behind a VEX prefix of three bytes.
int dot_products(const Code& code, bool evex) {
  int count = 0;
  for (std::size_t i = 0; i + 4 < code.size(); ++i) {
    const bool has_map =
        evex ? code[i] == 0x62 && (code[i + 1] & 0x0F) == 2 : code[i] == 0xC4 && (code[i + 1] & 0x1F) == 2;
    count += static_cast<int>(has_map && (code[i + 2] & 0x87) == 5 && code[i + (evex ? 4 : 3)] == 0x50);
  }
  return count;
}

TEST_P(ConvCode, MultipliesWithTheInstructionsOfItsSet) {
  Random random(1);
  Conv conv;
  do {
    conv = test::same_conv(random, {1, 16, 32, 16}, 16);
  } while (!requantization_of(conv));
  const auto grids = grids_of(conv);
  const auto code = code_of(shape_of(GetParam(), conv, (*grids)[0]));
  EXPECT_EQ(dot_products(code, true) > 0, GetParam() == Isa::avx512_vnni);
  EXPECT_EQ(dot_products(code, false) > 0, GetParam() == Isa::avx_vnni);
}

}  // namespace
}  // namespace nerone::softdpu::jit
