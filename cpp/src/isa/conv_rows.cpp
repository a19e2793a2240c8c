#include "isa/conv_rows.hpp"

#include <cstring>

// The lane order of the pairwise dot product is not fixed for vectors of unknown size.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#endif
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "isa/conv_rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace nerone::isa::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Int32 = hn::CappedTag<std::int32_t, 8>;
using Int16 = hn::Repartition<std::int16_t, Int32>;

HWY_INLINE hn::Vec<Int32> PairDot(hn::Vec<Int16> a, hn::Vec<Int16> b, hn::Vec<Int32> sum) {
#if HWY_ARCH_ARM
  const hn::Vec<Int32> low(vmull_s16(vget_low_s16(a.raw), vget_low_s16(b.raw)));
  const hn::Vec<Int32> high(vmull_s16(vget_high_s16(a.raw), vget_high_s16(b.raw)));
  return hn::Add(sum, hn::Vec<Int32>(vpaddq_s32(low.raw, high.raw)));
#else
  hn::Vec<Int32> unused = hn::Zero(Int32());
  return hn::ReorderWidenMulAccumulate(Int32(), a, b, sum, unused);
#endif
}

template <int kPixels, int kVectors>
HWY_INLINE void Block(const LineJob& job, int pixel, int first_output) {
  const Int32 d;
  const Int16 halves;
  const auto lanes = static_cast<int>(hn::Lanes(d));
  hn::Vec<Int32> sums[kPixels][kVectors];
  for (auto& of_pixel : sums) {
    for (auto& sum : of_pixel) sum = hn::Zero(d);
  }
  const auto* w = job.weights + 2 * first_output;
  for (int ky = 0; ky < job.kernel_h; ++ky) {
    for (int kx = 0; kx < job.kernel_w; ++kx) {
      const auto* x = job.lines[ky] + pixel * job.stride + kx * job.column;
      for (int pair = 0; pair < job.pairs; ++pair) {
        hn::Vec<Int16> weights[kVectors];
        for (int v = 0; v < kVectors; ++v) weights[v] = hn::LoadU(halves, w + 2 * lanes * v);
        w += 2 * max_outputs;
        for (int p = 0; p < kPixels; ++p) {
          std::int32_t two;
          std::memcpy(&two, x + p * job.stride + 2 * pair, sizeof two);
          const auto value = hn::BitCast(halves, hn::Set(d, two));
          for (int v = 0; v < kVectors; ++v) sums[p][v] = PairDot(value, weights[v], sums[p][v]);
        }
      }
    }
  }
  for (int p = 0; p < kPixels; ++p) {
    for (int v = 0; v < kVectors; ++v) {
      hn::StoreU(sums[p][v], d, job.sums + (pixel + p) * max_outputs + first_output + lanes * v);
    }
  }
}

template <int kPixels>
HWY_INLINE void AllOutputs(const LineJob& job, int pixel) {
  const auto lanes = static_cast<int>(hn::Lanes(Int32()));
  for (int output = 0; output < max_outputs; output += 2 * lanes) Block<kPixels, 2>(job, pixel, output);
}

void SumLine(const LineJob& job) {
  int pixel = 0;
  for (; pixel + 4 <= job.pixels; pixel += 4) AllOutputs<4>(job, pixel);
  for (; pixel < job.pixels; ++pixel) AllOutputs<1>(job, pixel);
}

// sums become (2 * sum + bias + round) >> right, limited.
void NarrowLine(const Narrow& narrow, const std::int32_t* bias, std::int32_t* sums, int pixels) {
  const Int32 d;
  const auto lanes = static_cast<int>(hn::Lanes(d));
  const auto low = hn::Set(d, narrow.low), high = hn::Set(d, narrow.high);
  for (int pixel = 0; pixel < pixels; ++pixel) {
    for (int output = 0; output < max_outputs; output += lanes) {
      auto* at = sums + pixel * max_outputs + output;
      auto y = hn::Add(hn::ShiftLeft<1>(hn::LoadU(d, at)), hn::LoadU(d, bias + output));
      y = hn::ShiftRightSame(hn::Add(y, hn::Set(d, narrow.round)), narrow.right);
      hn::StoreU(hn::Min(hn::Max(y, low), high), d, at);
    }
  }
}

}  // namespace nerone::isa::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nerone::isa {

HWY_EXPORT(SumLine);
HWY_EXPORT(NarrowLine);

void sum_line(const LineJob& job) { HWY_DYNAMIC_DISPATCH(SumLine)(job); }

void narrow_line(const Narrow& narrow, const std::int32_t* bias, std::int32_t* sums, int pixels) {
  HWY_DYNAMIC_DISPATCH(NarrowLine)(narrow, bias, sums, pixels);
}

}  // namespace nerone::isa
#endif
