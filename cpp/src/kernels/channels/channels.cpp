#include "kernels/channels/channels.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/channels/channels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nerone::kernels::HWY_NAMESPACE {

void split(const float* HWY_RESTRICT row, std::size_t channels, std::size_t count, float* const* planes) {
  const FloatTag d;
  std::size_t i = 0;
  Floats a, b, c, e;
  if (channels <= 4) {
    for (; i + lanes <= count; i += lanes) {
      const float* from = row + i * channels;
      if (channels == 1) {
        hn::StoreU(hn::LoadU(d, from), d, planes[0] + i);
      } else if (channels == 2) {
        hn::LoadInterleaved2(d, from, a, b);
        hn::StoreU(a, d, planes[0] + i);
        hn::StoreU(b, d, planes[1] + i);
      } else if (channels == 3) {
        hn::LoadInterleaved3(d, from, a, b, c);
        hn::StoreU(a, d, planes[0] + i);
        hn::StoreU(b, d, planes[1] + i);
        hn::StoreU(c, d, planes[2] + i);
      } else {
        hn::LoadInterleaved4(d, from, a, b, c, e);
        hn::StoreU(a, d, planes[0] + i);
        hn::StoreU(b, d, planes[1] + i);
        hn::StoreU(c, d, planes[2] + i);
        hn::StoreU(e, d, planes[3] + i);
      }
    }
  }
  for (; i < count; ++i) {
    for (std::size_t k = 0; k < channels; ++k) planes[k][i] = row[i * channels + k];
  }
}

void merge(const float* const* planes, std::size_t channels, std::size_t count, float* HWY_RESTRICT row) {
  const FloatTag d;
  const auto plane = [&](std::size_t c, std::size_t i) NERONE_INLINE { return hn::LoadU(d, planes[c] + i); };
  std::size_t i = 0;
  if (channels <= 4) {
    for (; i + lanes <= count; i += lanes) {
      float* to = row + i * channels;
      if (channels == 1) {
        hn::StoreU(plane(0, i), d, to);
      } else if (channels == 2) {
        hn::StoreInterleaved2(plane(0, i), plane(1, i), d, to);
      } else if (channels == 3) {
        hn::StoreInterleaved3(plane(0, i), plane(1, i), plane(2, i), d, to);
      } else {
        hn::StoreInterleaved4(plane(0, i), plane(1, i), plane(2, i), plane(3, i), d, to);
      }
    }
  }
  for (; i < count; ++i) {
    for (std::size_t c = 0; c < channels; ++c) row[i * channels + c] = planes[c][i];
  }
}

}  // namespace nerone::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nerone::kernels {

HWY_EXPORT(split);
HWY_EXPORT(merge);

void split_channels(const float* row, std::size_t channels, std::size_t count, float* const* planes) {
  HWY_DYNAMIC_DISPATCH(split)(row, channels, count, planes);
}

void merge_channels(const float* const* planes, std::size_t channels, std::size_t count, float* row) {
  HWY_DYNAMIC_DISPATCH(merge)(planes, channels, count, row);
}

}  // namespace nerone::kernels
#endif
