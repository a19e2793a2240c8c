#include "kernels/quantize/quantize.hpp"

#include "support.hpp"

namespace nerone::kernels::testing {
namespace {

std::vector<Affine> chain_of(std::size_t steps, std::size_t channels, Random& random) {
  std::vector<Affine> affine(steps * channels);
  for (auto& a : affine) {
    a = {random.real(-500, 0), random.real(0, 1000), random.real(-0.01F, 0.02F),
         random.real(-1, 1),   random.below(2) == 0, random.below(4) != 0};
  }
  return affine;
}

TEST(Quantize, PlanesEqualTheReference) {
  for_each_target([] {
    Random random(7);
    for (const DType dtype : pixel_types()) {
      for (const std::size_t channels : {1, 2, 3, 4, 5}) {
        for (const std::size_t count : sizes()) {
          const std::size_t steps = random.below(3);
          const auto affine = chain_of(steps, channels, random);
          std::vector<Pixels> planes;
          std::vector<const void*> pointers;
          for (std::size_t c = 0; c < channels; ++c) planes.emplace_back(dtype, count, random.below(3), random);
          for (const auto& plane : planes) pointers.push_back(plane.data());
          const Chain chain{affine.data(), steps, channels};
          std::vector<std::int8_t> got(count * channels, 99);
          std::vector<std::int8_t> expected(count * channels, 11);
          quantize_planes(dtype, pointers.data(), count, chain, got.data());
          scalar::quantize_planes(dtype, pointers.data(), count, chain, expected.data());
          ASSERT_EQ(got, expected) << name_of(dtype) << " channels " << channels << " count " << count;
        }
      }
    }
  });
}

TEST(Quantize, InterleavedEqualsTheReference) {
  for_each_target([] {
    Random random(8);
    for (const DType dtype : pixel_types()) {
      for (const std::size_t channels : {1, 2, 3, 4, 7}) {
        for (const std::size_t count : sizes()) {
          const auto affine = chain_of(2, channels, random);
          std::vector<std::vector<float>> tiles(8, std::vector<float>(16 * channels));
          for (std::size_t e = 0; e < 16 * channels; ++e) {
            for (std::size_t s = 0; s < 2; ++s) {
              const Affine& a = affine[s * channels + e % channels];
              tiles[s * 4][e] = a.low, tiles[s * 4 + 1][e] = a.high;
              tiles[s * 4 + 2][e] = a.scale, tiles[s * 4 + 3][e] = a.offset;
            }
          }
          const TiledAffine steps[2] = {
              {tiles[0].data(), tiles[1].data(), tiles[2].data(), tiles[3].data(), false, true},
              {tiles[4].data(), tiles[5].data(), tiles[6].data(), tiles[7].data(), true, false}};
          const Pixels pixels(dtype, count * channels, random.below(4), random);
          std::vector<std::int8_t> got(count * channels, 99);
          std::vector<std::int8_t> expected(count * channels, 11);
          quantize_interleaved(dtype, pixels.data(), got.size(), steps, 2, channels, got.data());
          scalar::quantize_interleaved(dtype, pixels.data(), got.size(), steps, 2, channels, expected.data());
          ASSERT_EQ(got, expected) << name_of(dtype) << " channels " << channels << " count " << count;
        }
      }
    }
  });
}

TEST(Quantize, TiesGoUpAndEndsSaturate) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values = {-1.5F, -0.5F, 0.5F, 1.5F,  126.5F, 127.4F, 500.0F,      -500.0F, nan,
                                     inf,   -inf,  0.0F, -0.0F, 1e38F,  -1e38F, 0.49999997F, -128.5F, -128.6F};
  const std::vector<std::int8_t> expected = {-1,  0,    1, 2, 127, 127,  127, -128, 0,
                                             127, -128, 0, 0, 127, -128, 1,   -128, -128};
  for_each_target([&] {
    std::vector<std::int8_t> got(values.size());
    const void* plane = values.data();
    quantize_planes(DType::float32, &plane, values.size(), Chain{}, got.data());
    EXPECT_EQ(got, expected);
    quantize_interleaved(DType::float32, values.data(), values.size(), nullptr, 0, 1, got.data());
    EXPECT_EQ(got, expected);
  });
}

TEST(Quantize, HalvedEqualsTheReference) {
  for_each_target([] {
    Random random(10);
    for (const DType dtype : pixel_types()) {
      for (const std::size_t count : sizes()) {
        const auto affine = chain_of(1, 1, random);
        const std::size_t height = 1 + random.below(3);
        const std::size_t stride = 2 * count + random.below(3);
        const Pixels pixels(dtype, 2 * height * stride, random.below(3), random);
        const auto stride_bytes = static_cast<std::ptrdiff_t>(stride * size_of(dtype));
        const Chain chain{affine.data(), 1, 1};
        std::vector<std::int8_t> got(height * count, 99);
        std::vector<std::int8_t> expected(height * count, 11);
        quantize_halved(dtype, pixels.data(), stride_bytes, height, count, chain, got.data());
        scalar::quantize_halved(dtype, pixels.data(), stride_bytes, height, count, chain, expected.data());
        ASSERT_EQ(got, expected) << name_of(dtype) << " count " << count;
      }
    }
  });
}

TEST(Quantize, MapRowEqualsTheReference) {
  for_each_target([] {
    Random random(9);
    for (const std::size_t count : sizes()) {
      const auto affine = chain_of(3, 2, random);
      std::vector<float> got(count);
      for (auto& x : got) x = random.below(5) == 0 ? 0.0F : random.real(-700, 1200);
      auto expected = got;
      map_row(got.data(), count, {affine.data(), 3, 2}, 1);
      scalar::map_row(expected.data(), count, {affine.data(), 3, 2}, 1);
      expect_same_bits(got, expected);
    }
  });
}

}  // namespace
}  // namespace nerone::kernels::testing
