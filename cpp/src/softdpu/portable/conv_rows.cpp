#include "softdpu/portable/conv_rows.hpp"

#include <cstring>

// The lane order of the pairwise dot product is not fixed for vectors of unknown size.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#endif
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "softdpu/portable/conv_rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace nerone::softdpu::portable::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Int32 = hn::ScalableTag<std::int32_t>;
using Int16 = hn::Repartition<std::int16_t, Int32>;
using Vec32 = hn::Vec<Int32>;
using Vec16 = hn::Vec<Int16>;

constexpr std::int64_t pixel_block = 4;

std::int64_t Lanes() { return static_cast<std::int64_t>(hn::Lanes(Int32())); }

HWY_INLINE void StoreNarrowed(const Narrow& narrow, Vec32 v, std::int64_t channels, std::int8_t* output) {
  const Int32 d;
  const hn::Rebind<std::int8_t, Int32> bytes;
  auto y = hn::Min(hn::Max(v, hn::Set(d, -narrow.limit)), hn::Set(d, narrow.limit));
  y = hn::Add(hn::Mul(y, hn::Set(d, narrow.factor)), hn::Set(d, narrow.round));
  y = hn::ShiftRightSame(y, narrow.right);
  if (narrow.negative_factor != 0) {
    auto leak = hn::Max(v, hn::Set(d, -narrow.negative_limit));
    leak = hn::Add(hn::Mul(leak, hn::Set(d, narrow.negative_factor)), hn::Set(d, narrow.negative_round));
    leak = hn::ShiftRightSame(leak, narrow.negative_right);
    y = hn::IfThenElse(hn::Lt(v, hn::Zero(d)), leak, y);
  }
  y = hn::Min(hn::Max(y, hn::Set(d, narrow.low)), hn::Set(d, narrow.high));
  const auto packed = hn::DemoteTo(bytes, y);
  if (channels >= Lanes()) {
    hn::StoreU(packed, bytes, output);
    return;
  }
  HWY_ALIGN std::int8_t lanes[HWY_MAX_BYTES];
  hn::StoreU(packed, bytes, lanes);
  std::memcpy(output, lanes, static_cast<std::size_t>(channels));
}

HWY_INLINE void StoreSum(const Narrow& narrow, Vec32 sum, const std::int32_t* doubled_bias, std::int64_t channels,
                         std::int8_t* output) {
  StoreNarrowed(narrow, hn::Add(hn::Add(sum, sum), hn::LoadU(Int32(), doubled_bias)), channels, output);
}

void NarrowSums(const SumsJob& job) {
  for (std::int64_t pixel = 0; pixel < job.pixels; ++pixel) {
    for (std::int64_t channel = 0; channel < job.channels; channel += Lanes()) {
      const auto sum = hn::LoadU(Int32(), job.sums + pixel * job.sums_step + channel);
      StoreSum(job.narrow, sum, job.doubled_bias + channel, job.channels - channel,
               job.output + pixel * job.output_step + channel);
    }
  }
}

#if !HWY_ARCH_ARM  // AArch64's are in conv_aarch64.cpp.

// sum[i] += a[2i] * b[2i] + a[2i + 1] * b[2i + 1]
HWY_INLINE Vec32 PairDot(Vec16 a, Vec16 b, Vec32 sum) {
  const Int32 d;
  Vec32 unused = hn::Zero(d);
  return hn::ReorderWidenMulAccumulate(d, a, b, sum, unused);
}

// `kPixels` output pixels times one or two vectors of output channels.
template <int kPixels, int kVectors>
HWY_INLINE void DenseBlock(const RowJob& job, std::int64_t pixel, const std::int16_t* weights, std::int64_t channel) {
  const Int32 d;
  const Int16 halves;
  const auto lanes = Lanes();
  Vec32 sums[kPixels][kVectors];
  for (auto& pixel_sums : sums) {
    for (auto& sum : pixel_sums) sum = hn::Zero(d);
  }
  for (std::int64_t ky = 0; ky < job.kernel_rows; ++ky) {
    const auto* row = job.rows[ky] + pixel * job.input_step;
    for (std::int64_t kx = 0; kx < job.kernel_columns; ++kx) {
      const auto* source = row + job.column_offsets[kx];
      for (std::int64_t c = 0; c < job.input_channels; c += 2) {
        Vec16 w[kVectors];
        for (int k = 0; k < kVectors; ++k) w[k] = hn::LoadU(halves, weights + 2 * lanes * k);
        weights += 2 * lanes * kVectors;
        for (int p = 0; p < kPixels; ++p) {
          std::int32_t pair;
          std::memcpy(&pair, source + p * job.input_step + c, sizeof(pair));
          const auto x = hn::BitCast(halves, hn::Set(d, pair));
          for (int k = 0; k < kVectors; ++k) sums[p][k] = PairDot(x, w[k], sums[p][k]);
        }
      }
    }
  }
  for (int p = 0; p < kPixels; ++p) {
    for (int k = 0; k < kVectors; ++k) {
      const auto first = channel + k * lanes;
      if (first < job.output_channels) {
        StoreSum(job.narrow, sums[p][k], job.doubled_bias + first, job.output_channels - first,
                 job.output + (pixel + p) * job.output_step + first);
      }
    }
  }
}

template <int kVectors>
void DenseChannels(const RowJob& job, const std::int16_t* weights, std::int64_t channel) {
  std::int64_t pixel = 0;
  for (; pixel + pixel_block <= job.pixels; pixel += pixel_block) {
    DenseBlock<pixel_block, kVectors>(job, pixel, weights, channel);
  }
  for (; pixel < job.pixels; ++pixel) DenseBlock<1, kVectors>(job, pixel, weights, channel);
}

void DenseRow(const RowJob& job) {
  const auto lanes = Lanes();
  const auto taps = job.kernel_rows * job.kernel_columns * job.input_channels;
  const auto* weights = job.weights;
  for (std::int64_t channel = 0; channel < job.output_channels; channel += 2 * lanes) {
    if (job.output_channels - channel > lanes) {
      DenseChannels<2>(job, weights, channel);
      weights += taps * 2 * lanes;
    } else {
      DenseChannels<1>(job, weights, channel);
    }
  }
}

#endif

void DepthwiseRow(const RowJob& job) {
  const Int32 d;
  const hn::Rebind<std::int16_t, Int32> halves;
  const auto lanes = Lanes();
  for (std::int64_t pixel = 0; pixel < job.pixels; ++pixel) {
    for (std::int64_t channel = 0; channel < job.output_channels; channel += lanes) {
      auto sum = hn::Zero(d);
      const auto* weights = job.weights + channel;
      for (std::int64_t ky = 0; ky < job.kernel_rows; ++ky) {
        const auto* row = job.rows[ky] + pixel * job.input_step + channel;
        for (std::int64_t kx = 0; kx < job.kernel_columns; ++kx) {
          const auto x = hn::PromoteTo(d, hn::LoadU(halves, row + job.column_offsets[kx]));
          const auto w = hn::PromoteTo(d, hn::LoadU(halves, weights));
          sum = hn::Add(sum, hn::Mul(x, w));
          weights += job.input_channels;
        }
      }
      StoreSum(job.narrow, sum, job.doubled_bias + channel, job.output_channels - channel,
               job.output + pixel * job.output_step + channel);
    }
  }
}

void Widen(const std::int8_t* HWY_RESTRICT source, std::int64_t count, std::int16_t* HWY_RESTRICT destination) {
  for (std::int64_t i = 0; i < count; ++i) destination[i] = source[i];
}

}  // namespace nerone::softdpu::portable::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nerone::softdpu::portable {

HWY_EXPORT(Lanes);
HWY_EXPORT(DepthwiseRow);
HWY_EXPORT(Widen);
HWY_EXPORT(NarrowSums);

std::int64_t conv_lanes() { return HWY_DYNAMIC_DISPATCH(Lanes)(); }
void depthwise_row(const RowJob& job) { HWY_DYNAMIC_DISPATCH(DepthwiseRow)(job); }
void widen(const std::int8_t* source, std::int64_t count, std::int16_t* destination) {
  HWY_DYNAMIC_DISPATCH(Widen)(source, count, destination);
}
void narrow_sums(const SumsJob& job) { HWY_DYNAMIC_DISPATCH(NarrowSums)(job); }

#if !HWY_ARCH_ARM
HWY_EXPORT(DenseRow);
DenseKernel<std::int16_t> word_kernel() {
  return {{conv_lanes(), 2, 2}, [](const RowJob& job) { HWY_DYNAMIC_DISPATCH(DenseRow)(job); }};
}
std::optional<DenseKernel<std::int8_t>> byte_kernel(std::int64_t) { return std::nullopt; }
#endif

}  // namespace nerone::softdpu::portable
#endif
