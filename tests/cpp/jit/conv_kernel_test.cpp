#include "softdpu/jit/conv_kernel.hpp"

#include <gtest/gtest.h>

#include "guarded_buffer.hpp"
#include "random_conv.hpp"
#include "softdpu/jit/conv_weights.hpp"

namespace nerone::softdpu::jit {
namespace {

using test::GuardedBuffer;
using test::Random;

// Stores a dense image in a packed buffer, the plain way.
void pack(const Extents& extents, const std::int8_t* image, const Layout& layout, std::uint8_t* buffer) {
  for (std::size_t i = 0; i < layout.size_bytes(); ++i) buffer[i] = zero_byte;
  for (std::int64_t y = 0; y < extents.height; ++y) {
    for (std::int64_t x = 0; x < extents.width; ++x) {
      for (std::int64_t c = 0; c < extents.channels; ++c) {
        buffer[layout.origin() + y * layout.row_bytes() + c / 4 * layout.pitch + x * 4 + c % 4] =
            static_cast<std::uint8_t>(*image++ ^ -128);
      }
    }
  }
}

struct Difference {
  std::int64_t y = 0, x = 0, channel = 0;
  int got = 0, expected = 0;
};

std::optional<Difference> first_difference(const Extents& extents, const std::int8_t* expected, const Layout& layout,
                                           const std::uint8_t* buffer) {
  for (std::int64_t y = 0; y < extents.height; ++y) {
    for (std::int64_t x = 0; x < layout.pitch / 4; ++x) {
      for (std::int64_t c = 0; c < extents.channels; ++c) {
        const auto at = layout.origin() + y * layout.row_bytes() + c / 4 * layout.pitch + x * 4 + c % 4;
        const int got = static_cast<std::int8_t>(buffer[at] ^ zero_byte);
        // Behind the row: the pad, zeros.
        const int wanted = x < extents.width ? expected[(y * extents.width + x) * extents.channels + c] : 0;
        if (got != wanted) return Difference{y, x, c, got, wanted};
      }
    }
  }
  return std::nullopt;
}

void check(const Conv& conv, Random& random, const ConvTile* forced = nullptr) {
  const auto grids = grids_of(conv);
  const auto requantization = requantization_of(conv);
  if (!grids || !requantization) return;
  const Layout in(static_cast<int>(conv.input.height), static_cast<int>(conv.input.width),
                  divide_up(static_cast<int>(conv.input.channels), 4), pads_of(*grids, conv.input));
  const Layout out(static_cast<int>(conv.output.height), static_cast<int>(conv.output.width),
                   divide_up(static_cast<int>(conv.output.channels), 4), {0, 0, test::pick(random, 0, 3)});
  const auto image = test::random_bytes(random, static_cast<std::size_t>(conv.input.element_count()));
  std::vector<std::int8_t> expected(static_cast<std::size_t>(conv.output.element_count()));
  run_scalar(conv, image.data(), expected.data());
  for (const auto side : {GuardedBuffer::Side::lower, GuardedBuffer::Side::upper}) {
    GuardedBuffer input(in.size_bytes(), side), output(out.size_bytes(), side);
    pack(conv.input, image.data(), in, input.data());
    for (const auto& grid : *grids) {
      const ConvShape shape{grid, conv.depthwise, in.groups, static_cast<int>(conv.output.channels),
                            {in.row_bytes(), in.pitch}, {out.row_bytes(), out.pitch}, requantization->rule, false};
      const auto tile = forced != nullptr ? *forced : choose_tile(shape);
      const auto weights =
          pack_weights(conv, shape, tile, dense_channels(static_cast<int>(conv.input.channels)), *requantization);
      const ConvKernel kernel(shape, tile);
      kernel({input.data() + in.origin(), output.data() + out.origin(), weights.weights.data(), weights.bias.data(),
              weights.half_bits.data()});
    }
    const auto difference = first_difference(conv.output, expected.data(), out, output.data());
    ASSERT_FALSE(difference) << test::describe(conv) << "; at y " << difference->y << ", x " << difference->x
                             << ", channel " << difference->channel << " got " << difference->got << ", expected "
                             << difference->expected;
  }
}

TEST(ConvKernel, EqualsTheScalarReference) {
  Random random(test::seed_of_run());
  RecordProperty("seed", std::to_string(test::seed_of_run()));
  const int cases = test::cases_of_run(200);
  for (int i = 0; i < cases && !HasFatalFailure(); ++i) check(test::random_conv(random), random);
}

}  // namespace
}  // namespace nerone::softdpu::jit
