#include "kernels/argmax/argmax.hpp"
#include "kernels/moments/moments.hpp"
#include "kernels/percentile/percentile.hpp"
#include "kernels/quantize/quantize.hpp"
#include "kernels/resize/combine.hpp"
#include "kernels/softmax/softmax.hpp"
#include "support.hpp"

// Results of fixed inputs, folded to one number each. The numbers were taken on x86-64; every machine must give them.
namespace nerone::kernels::testing {
namespace {

template <typename T>
std::uint64_t digest(const std::vector<T>& values) {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
  for (std::size_t i = 0; i < values.size() * sizeof(T); ++i) hash = (hash ^ bytes[i]) * 1099511628211U;
  return hash;
}

std::vector<float> noise(std::size_t count) {
  Random random(81);
  std::vector<float> values(count);
  for (auto& x : values) x = random.below(10) == 0 ? 0.0F : random.real(-900, 1500);
  return values;
}

TEST(Digest, QuantizedNoise) {
  const auto values = noise(3001);
  const Affine affine[3] = {
      {-500, 1000, 1.0F / 750, -1.0F / 3, false}, {-1, 1, 1.1F, 0.03F, true}, {0, 0, 64.0F, 0, false, false}};
  for_each_target([&] {
    std::vector<std::int8_t> got(values.size());
    const void* plane = values.data();
    quantize_planes(DType::float32, &plane, values.size(), {affine, 3, 1}, got.data());
    EXPECT_EQ(digest(got), 16515239148529195485U);
  });
}

TEST(Digest, CombinedRowsAndColumns) {
  const auto values = noise(3001 + row_margin);
  const float weights[3] = {0.3F, 0.9F, -0.2F};
  for_each_target([&] {
    const void* rows[3] = {values.data(), values.data() + 1000, values.data() + 1999};
    std::vector<float> combined(1000 + row_margin);
    combine_rows(DType::float32, rows, weights, 3, 0.1F, 1000, combined.data());
    std::vector<std::int32_t> first(700);
    std::vector<float> column_weights(1400);
    for (std::size_t x = 0; x < 700; ++x) {
      first[x] = static_cast<std::int32_t>(x * 998 / 700);
      column_weights[x] = static_cast<float>(x) / 700.0F;
      column_weights[700 + x] = 1.0F - column_weights[x];
    }
    std::vector<std::vector<float>> got(row_batch, std::vector<float>(700));
    std::vector<const float*> from(row_batch, combined.data());
    std::vector<float*> to;
    for (auto& row : got) to.push_back(row.data());
    std::vector<float> scratch(row_batch * combined.size());
    combine_columns(from.data(), row_batch, first.data(), column_weights.data(), 700, 2, nullptr, 700, to.data(),
                    scratch.data());
    for (const auto& row : got) EXPECT_EQ(digest(row), 4675968032900847376U);
  });
}

TEST(Digest, Statistics) {
  const auto values = noise(3001);
  for_each_target([&] {
    Moments moments;
    add_moments(DType::float32, values.data(), values.size(), moments);
    std::vector<double> got(2);
    moments.mean_deviation(moments.nonzero, got[0], got[1]);
    std::vector<float> kept(values.size() + 16);
    std::vector<float> scratch(values.size());
    const std::size_t count = collect(DType::float32, values.data(), values.size(), true, kept.data());
    const auto range = percentiles(kept.data(), count, 1, 99.9, scratch.data());
    got.push_back(range.low);
    got.push_back(range.high);
    EXPECT_EQ(digest(got), 1502808437231684727U);
  });
}

TEST(Digest, SoftmaxAndArgmax) {
  Random random(82);
  std::vector<std::int8_t> values(6 * 501);
  for (auto& v : values) v = static_cast<std::int8_t>(random.next() >> 40);
  const SoftmaxTable table(2);
  for_each_target([&] {
    std::vector<float> probabilities(values.size());
    softmax(values.data(), 501, 6, table, probabilities.data());
    EXPECT_EQ(digest(probabilities), 7847849971451288331U);
    std::vector<std::uint8_t> classes(501);
    argmax(values.data(), 501, 6, classes.data());
    EXPECT_EQ(digest(classes), 12487744874553367811U);
  });
}

}  // namespace
}  // namespace nerone::kernels::testing
