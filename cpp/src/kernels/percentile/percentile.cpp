#include "kernels/percentile/percentile.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/percentile/percentile.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/dispatch.hpp"
#include "kernels/percentile/rank.hpp"
#include "kernels/scalar.hpp"
#include "kernels/simd-inl.hpp"

#ifndef NERONE_PERCENTILE_BRACKET
#define NERONE_PERCENTILE_BRACKET
namespace nerone::kernels {

// Values between which a percentile is expected, and how many values there are below it and up to its end.
struct Bracket {
  float low;
  float high;
  std::size_t below = 0;    // values < low
  std::size_t through = 0;  // values <= high

  // Values that are all equal need not be collected.
  bool collects() const { return low != high; }
};

}  // namespace nerone::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace nerone::kernels::HWY_NAMESPACE {

template <typename T>
std::size_t collect_typed(const T* HWY_RESTRICT pixels, std::size_t count, bool skip_zeros, float* HWY_RESTRICT out) {
  const FloatTag d;
  std::size_t kept = 0;
  std::size_t i = 0;
  // Side by side, so that no vector waits for its own limits.
  constexpr std::size_t vectors = 4;
  for (; !skip_zeros && i + vectors * lanes <= count; i += vectors * lanes) {
    Floats x[vectors];
    for (std::size_t v = 0; v < vectors; ++v) x[v] = load_pixels(d, pixels + i + v * lanes);
    for (std::size_t v = 0; v < vectors; ++v) hn::StoreU(x[v], d, out + i + v * lanes);
    kept += vectors * lanes;
  }
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

template <std::size_t Brackets>
std::size_t survey_typed(const float* HWY_RESTRICT values, std::size_t count, Bracket* brackets,
                         float* HWY_RESTRICT out) {
  const FloatTag d;
  const hn::Rebind<std::int32_t, FloatTag> di;
  constexpr std::size_t vectors = 4;
  Floats low[Brackets];
  Floats high[Brackets];
  Ints below[Brackets];
  Ints through[Brackets];
  Ints collects[Brackets];
  for (std::size_t b = 0; b < Brackets; ++b) {
    low[b] = hn::Set(d, brackets[b].low);
    high[b] = hn::Set(d, brackets[b].high);
    below[b] = through[b] = hn::Zero(di);
    collects[b] = hn::Set(di, brackets[b].collects() ? -1 : 0);
  }
  const auto inside = [&](Floats x) NERONE_INLINE {
    auto any = hn::Zero(di);
    for (std::size_t b = 0; b < Brackets; ++b) {
      const auto in = hn::VecFromMask(d, hn::And(hn::Ge(x, low[b]), hn::Le(x, high[b])));
      any = hn::Or(any, hn::And(hn::BitCast(di, in), collects[b]));
    }
    return hn::MaskFromVec(hn::BitCast(d, any));
  };
  std::size_t kept = 0;
  std::size_t i = 0;
  for (; i + vectors * lanes <= count; i += vectors * lanes) {
    auto hits = hn::Zero(di);
    for (std::size_t b = 0; b < Brackets; ++b) {
      const auto before = hn::Sub(through[b], below[b]);
      for (std::size_t v = 0; v < vectors; ++v) {
        const auto x = hn::LoadU(d, values + i + v * lanes);
        // A true lane is -1.
        below[b] = hn::Sub(below[b], hn::BitCast(di, hn::VecFromMask(d, hn::Lt(x, low[b]))));
        through[b] = hn::Sub(through[b], hn::BitCast(di, hn::VecFromMask(d, hn::Le(x, high[b]))));
      }
      const auto more = hn::Sub(hn::Sub(through[b], below[b]), before);
      hits = hn::Or(hits, hn::And(more, collects[b]));
    }
    if (hn::AllTrue(di, hn::Eq(hits, hn::Zero(di)))) continue;
    for (std::size_t v = 0; v < vectors; ++v) {
      const auto x = hn::LoadU(d, values + i + v * lanes);
      const auto mask = inside(x);
      if (!hn::AllFalse(d, mask)) kept += hn::CompressStore(x, mask, d, out + kept);
    }
  }
  for (std::size_t b = 0; b < Brackets; ++b) {
    brackets[b].below = static_cast<std::size_t>(hn::GetLane(hn::SumOfLanes(di, below[b])));
    brackets[b].through = static_cast<std::size_t>(hn::GetLane(hn::SumOfLanes(di, through[b])));
  }
  for (; i < count; ++i) {
    bool keep = false;
    for (std::size_t b = 0; b < Brackets; ++b) {
      Bracket& bracket = brackets[b];
      bracket.below += values[i] < bracket.low ? 1 : 0;
      bracket.through += values[i] <= bracket.high ? 1 : 0;
      keep = keep || (bracket.collects() && values[i] >= bracket.low && values[i] <= bracket.high);
    }
    if (keep) out[kept++] = values[i];
  }
  return kept;
}

std::size_t survey_of(const float* values, std::size_t count, Bracket* brackets, std::size_t bracket_count,
                      float* out) {
  return bracket_count == 1 ? survey_typed<1>(values, count, brackets, out)
                            : survey_typed<2>(values, count, brackets, out);
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

// Every value enters a histogram of its highest bits; those of the bins of a rank are selected from.
PercentilePair by_histogram(const float* values, std::size_t count, const Rank& low, const Rank& high, float* scratch) {
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
  return {select(values, count, even, low, scratch), select(values, count, even, high, scratch)};
}

constexpr std::size_t sample_size = 512;
// Below this a histogram costs no more than a sample.
constexpr std::size_t sampled_count = 16 * sample_size;

// Where the sample says that the rank lies: 3.5 standard deviations of its place in the sample, both ways.
Bracket bracket_of(const float* sample, double percent) {
  const double part = percent / 100.0;
  const double place = part * static_cast<double>(sample_size - 1);
  const double margin = 3.5 * std::sqrt(static_cast<double>(sample_size) * part * (1.0 - part)) + 2.0;
  const double last = static_cast<double>(sample_size - 1);
  const float infinity = std::numeric_limits<float>::infinity();
  return {place < margin ? -infinity : sample[static_cast<std::size_t>(place - margin)],
          place + margin > last ? infinity : sample[static_cast<std::size_t>(std::ceil(place + margin))]};
}

// The values of ranks, from those that the survey collected.
class Selection {
 public:
  Selection(const Bracket* brackets, std::size_t bracket_count, float* collected, std::size_t kept)
      : brackets_(brackets), bracket_count_(bracket_count), collected_(collected), kept_(kept) {}

  // Whether the rank lies in a bracket; then its value.
  bool find(std::size_t rank, float& value) {
    std::size_t before = 0;
    for (std::size_t b = 0; b < bracket_count_; ++b) {
      const Bracket& bracket = brackets_[b];
      if (rank >= bracket.below && rank < bracket.through) {
        value = bracket.collects() ? at(before + rank - bracket.below) : bracket.low;
        return true;
      }
      before += bracket.collects() ? bracket.through - bracket.below : 0;
    }
    return false;
  }

  bool percentile(const Rank& rank, float& value) {
    float below = 0;
    float above = 0;
    if (!find(rank.below, below) || !find(rank.above, above)) return false;
    value = rank.above == rank.below ? below : between(below, above, rank.part);
    return true;
  }

 private:
  // Asked for in ascending order; what lies in front of the place before is not moved again.
  float at(std::size_t place) {
    const std::size_t from = place >= sorted_ ? sorted_ : 0;
    std::nth_element(collected_ + from, collected_ + place, collected_ + kept_);
    sorted_ = place;
    return collected_[place];
  }

  const Bracket* brackets_;
  std::size_t bracket_count_;
  float* collected_;
  std::size_t kept_;
  std::size_t sorted_ = 0;
};

}  // namespace

HWY_EXPORT(collect_of);

std::size_t collect(DType dtype, const void* pixels, std::size_t count, bool skip_zeros, float* out) {
  return HWY_DYNAMIC_DISPATCH(collect_of)(dtype, pixels, count, skip_zeros, out);
}

HWY_EXPORT(survey_of);

PercentilePair percentiles(const float* values, std::size_t count, double low_percent, double high_percent,
                           float* scratch) {
  if (count == 0) return {0.0F, 0.0F};
  const Rank low = rank_of(low_percent, count);
  const Rank high = rank_of(high_percent, count);
  constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
  if (count < sampled_count || count > most) return by_histogram(values, count, low, high, scratch);
  std::array<float, sample_size> sample;
  const std::size_t step = count / sample_size;
  // Odd, so that an image's columns are all met.
  for (std::size_t i = 0; i < sample_size; ++i) sample[i] = values[i * (step - (step % 2 == 0 ? 1 : 0))];
  std::sort(sample.begin(), sample.end());
  Bracket brackets[2] = {bracket_of(sample.data(), low_percent), bracket_of(sample.data(), high_percent)};
  if (brackets[0].low > brackets[1].low) std::swap(brackets[0], brackets[1]);
  std::size_t bracket_count = 2;
  if (brackets[0].high >= brackets[1].low) {
    brackets[0].high = std::max(brackets[0].high, brackets[1].high);
    bracket_count = 1;
  }
  const std::size_t kept = HWY_DYNAMIC_DISPATCH(survey_of)(values, count, brackets, bracket_count, scratch);
  Selection selection(brackets, bracket_count, scratch, kept);
  PercentilePair found{};
  if (selection.percentile(low, found.low) && selection.percentile(high, found.high)) return found;
  return by_histogram(values, count, low, high, scratch);
}

}  // namespace nerone::kernels
#endif
