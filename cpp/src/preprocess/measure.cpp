#include "preprocess/measure.hpp"

#include "kernels/percentile/percentile.hpp"

namespace nerone::preprocess {
namespace {

// Calls f(dtype, pixels, count) for runs of one channel's pixels, in row order.
template <typename F>
void for_each_run(const Source& source, std::size_t channel, float* row_scratch, F&& f) {
  if (!source.interleaved) {
    if (source.one_run(channel)) return f(source.dtype, source.row(channel, 0), source.height * source.width);
    for (std::size_t y = 0; y < source.height; ++y) f(source.dtype, source.row(channel, y), source.width);
    return;
  }
  const std::size_t elements = source.width * source.channels;
  for (std::size_t y = 0; y < source.height; ++y) {
    kernels::collect(source.dtype, source.row(0, y), elements, false, row_scratch);
    float* row = row_scratch + elements;
    for (std::size_t x = 0; x < source.width; ++x) row[x] = row_scratch[x * source.channels + channel];
    f(DType::float32, row, source.width);
  }
}

}  // namespace

kernels::Affine measure(const Measured& point, const Source& source, std::size_t channel, float* row_scratch,
                        float* scratch) {
  const std::size_t pixels = source.height * source.width;
  if (point.percentile) {
    std::size_t count = 0;
    for_each_run(source, channel, row_scratch, [&](DType dtype, const void* run, std::size_t length) {
      count += kernels::collect(dtype, run, length, point.nonzero, scratch + count);
    });
    return affine_of(point, percentile_pair(point, scratch, count, scratch + pixels + 16));
  }
  kernels::Moments moments;
  for_each_run(source, channel, row_scratch, [&](DType dtype, const void* run, std::size_t length) {
    kernels::add_moments(dtype, run, length, moments);
  });
  return affine_of(point, moments_pair(point, moments, pixels));
}

kernels::Affine affine_of(const Measured& point, const std::array<double, 2>& pair) {
  return point.percentile ? window_affine(pair[0], pair[1], point.to) : z_score_affine(pair[0], pair[1], point.nonzero);
}

std::array<double, 2> percentile_pair(const Measured& point, const float* values, std::size_t count, float* scratch) {
  const auto found = kernels::percentiles(values, count, point.low.value_or(point.high), point.high, scratch);
  return {point.low && count > 0 ? static_cast<double>(found.low) : 0.0, found.high};
}

std::array<double, 2> moments_pair(const Measured& point, const kernels::Moments& moments, std::size_t count) {
  std::array<double, 2> pair{};
  moments.mean_deviation(point.nonzero ? moments.nonzero : count, pair[0], pair[1]);
  return pair;
}

}  // namespace nerone::preprocess
