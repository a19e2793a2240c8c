#include "kernels/percentile/percentile.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/percentile/percentile.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/dispatch.hpp"
#include "kernels/percentile/rank.hpp"
#include "kernels/scalar.hpp"
#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nerone::kernels::HWY_NAMESPACE {

template <typename T>
std::size_t collect_typed(const T* HWY_RESTRICT pixels, std::size_t count, bool skip_zeros, float* HWY_RESTRICT out) {
  const FloatTag d;
  std::size_t kept = 0;
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto x = load_pixels(d, pixels + i);
    if (skip_zeros) {
      kept += hn::CompressStore(x, hn::Ne(x, hn::Zero(d)), d, out + kept);
    } else {
      hn::StoreU(x, d, out + kept);
      kept += lanes;
    }
  }
  for (; i < count; ++i) {
    const float x = scalar::enter(pixels[i]);
    if (!skip_zeros || x != 0.0F) out[kept++] = x;
  }
  return kept;
}

std::size_t collect_of(DType dtype, const void* pixels, std::size_t count, bool skip_zeros, float* out) {
  std::size_t kept = 0;
  for_pixel_type(dtype, [&](auto type) {
    kept = collect_typed(static_cast<const decltype(type)*>(pixels), count, skip_zeros, out);
  });
  return kept;
}

}  // namespace nerone::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nerone::kernels {
namespace {

// Floats in the order of these integers are in their own order (-0 before 0).
std::uint32_t sort_key(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits & 0x80000000U ? ~bits : bits | 0x80000000U;
}

constexpr int bin_shift = 20;
constexpr std::size_t bins = std::size_t{1} << (32 - bin_shift);

// The first bin whose running total passes the rank; `before` is the total in front of it.
struct Place {
  std::uint32_t bin;
  std::size_t before;
};

Place find(const std::uint32_t* histogram, std::size_t rank) {
  std::size_t before = 0;
  std::uint32_t bin = 0;
  while (before + histogram[bin] <= rank) before += histogram[bin++];
  return {bin, before};
}

float select(const float* values, std::size_t count, const std::uint32_t* histogram, const Rank& rank, float* scratch) {
  const Place first = find(histogram, rank.below);
  const Place last = find(histogram, rank.above);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bin = sort_key(values[i]) >> bin_shift;
    scratch[kept] = values[i];
    kept += bin == first.bin || bin == last.bin ? 1 : 0;
  }
  // Nothing lies between the two bins, so the ranks stay neighbours among what was kept.
  float* below = scratch + (rank.below - first.before);
  std::nth_element(scratch, below, scratch + kept);
  if (rank.above == rank.below) return *below;
  return between(*below, *std::min_element(below + 1, scratch + kept), rank.part);
}

}  // namespace

HWY_EXPORT(collect_of);

std::size_t collect(DType dtype, const void* pixels, std::size_t count, bool skip_zeros, float* out) {
  return HWY_DYNAMIC_DISPATCH(collect_of)(dtype, pixels, count, skip_zeros, out);
}

PercentilePair percentiles(const float* values, std::size_t count, double low_percent, double high_percent,
                           float* scratch) {
  if (count == 0) return {0.0F, 0.0F};
  // Two histograms, so that runs of equal values do not wait for one counter.
  std::uint32_t even[bins] = {};
  std::uint32_t odd[bins] = {};
  std::size_t i = 0;
  for (; i + 2 <= count; i += 2) {
    ++even[sort_key(values[i]) >> bin_shift];
    ++odd[sort_key(values[i + 1]) >> bin_shift];
  }
  if (i < count) ++even[sort_key(values[i]) >> bin_shift];
  for (std::size_t bin = 0; bin < bins; ++bin) even[bin] += odd[bin];
  return {select(values, count, even, rank_of(low_percent, count), scratch),
          select(values, count, even, rank_of(high_percent, count), scratch)};
}

}  // namespace nerone::kernels
#endif
