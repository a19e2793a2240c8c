#include "kernels/resize/combine.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/resize/combine.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/dispatch.hpp"
#include "kernels/scalar.hpp"
#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nerone::kernels::HWY_NAMESPACE {

using IndexTag = hn::Rebind<std::int32_t, FloatTag>;
using Indices = hn::Vec<IndexTag>;

// Taps == 0: any number, given by `taps`.
template <typename T, std::size_t Taps>
void rows_typed(const void* const* pointers, const float* HWY_RESTRICT weights, std::size_t taps, float constant,
                std::size_t count, float* HWY_RESTRICT out) {
  const FloatTag d;
  const std::size_t n = Taps == 0 ? taps : Taps;
  const auto row = [&](std::size_t k) { return static_cast<const T*>(pointers[k]); };
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    auto sum = hn::Mul(load_pixels(d, row(0) + i), hn::Set(d, weights[0]));
    for (std::size_t k = 1; k < n; ++k) {
      sum = hn::Add(sum, hn::Mul(load_pixels(d, row(k) + i), hn::Set(d, weights[k])));
    }
    if (constant != 0.0F) sum = hn::Add(sum, hn::Set(d, constant));
    hn::StoreU(sum, d, out + i);
  }
  for (; i < count; ++i) {
    float sum = scalar::enter(row(0)[i]) * weights[0];
    for (std::size_t k = 1; k < n; ++k) sum = sum + scalar::enter(row(k)[i]) * weights[k];
    out[i] = constant == 0.0F ? sum : sum + constant;
  }
}

void rows(DType dtype, const void* const* pointers, const float* weights, std::size_t taps, float constant,
          std::size_t count, float* out) {
  for_pixel_type(dtype, [&](auto type) {
    using T = decltype(type);
    switch (taps) {
      case 1:
        return rows_typed<T, 1>(pointers, weights, 1, constant, count, out);
      case 2:
        return rows_typed<T, 2>(pointers, weights, 2, constant, count, out);
      case 4:
        return rows_typed<T, 4>(pointers, weights, 4, constant, count, out);
      default:
        return rows_typed<T, 0>(pointers, weights, taps, constant, count, out);
    }
  });
}

// The element at `index` (0 to 2 * lanes - 1) of two vectors behind one another.
HWY_INLINE Floats lookup_two(FloatTag d, Floats low, Floats high, Indices index) {
#if HWY_TARGET == HWY_AVX3
  (void)d;
  return Floats{_mm512_permutex2var_ps(low.raw, index.raw, high.raw)};
#else
  const IndexTag di;
  const auto within = hn::And(index, hn::Set(di, static_cast<std::int32_t>(lanes - 1)));
  const auto lanes_index = hn::IndicesFromVec(d, within);
  const auto is_low = hn::RebindMask(d, hn::Lt(index, hn::Set(di, static_cast<std::int32_t>(lanes))));
  return hn::IfThenElse(is_low, hn::TableLookupLanes(low, lanes_index), hn::TableLookupLanes(high, lanes_index));
#endif
}

template <typename Fetch>
HWY_INLINE void columns_vector(FloatTag d, const float* weights, std::size_t stride, std::size_t taps,
                               const float* constants, float* out, Fetch&& fetch) {
  auto sum = hn::Mul(fetch(std::size_t{0}), hn::LoadU(d, weights));
  for (std::size_t k = 1; k < taps; ++k) sum = hn::Add(sum, hn::Mul(fetch(k), hn::LoadU(d, weights + k * stride)));
  if (constants != nullptr) sum = hn::Add(sum, hn::LoadU(d, constants));
  hn::StoreU(sum, d, out);
}

void columns(const float* HWY_RESTRICT row, const std::int32_t* HWY_RESTRICT first, const float* HWY_RESTRICT weights,
             std::size_t stride, std::size_t taps, const float* constants, std::size_t count, float* HWY_RESTRICT out) {
  const FloatTag d;
  const IndexTag di;
  std::size_t x = 0;
  for (; x + lanes <= count; x += lanes) {
    const auto index = hn::LoadU(di, first + x);
    const float* more = constants == nullptr ? nullptr : constants + x;
    const std::int32_t base = first[x];
    const auto span = static_cast<std::size_t>(first[x + lanes - 1] - base) + taps;
    if (span <= 2 * lanes) {
      const auto low = hn::LoadU(d, row + base);
      const auto high = hn::LoadU(d, row + base + lanes);
      const auto relative = hn::Sub(index, hn::Set(di, base));
      columns_vector(d, weights + x, stride, taps, more, out + x, [&](std::size_t k) NERONE_INLINE {
        return lookup_two(d, low, high, hn::Add(relative, hn::Set(di, static_cast<std::int32_t>(k))));
      });
    } else {
      columns_vector(d, weights + x, stride, taps, more, out + x,
                     [&](std::size_t k) NERONE_INLINE { return hn::GatherIndex(d, row + k, index); });
    }
  }
  scalar::combine_columns(row, first + x, weights + x, stride, taps, constants == nullptr ? nullptr : constants + x,
                          count - x, out + x);
}

}  // namespace nerone::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nerone::kernels {

HWY_EXPORT(rows);
HWY_EXPORT(columns);

void combine_rows(DType dtype, const void* const* pointers, const float* weights, std::size_t taps, float constant,
                  std::size_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(rows)(dtype, pointers, weights, taps, constant, count, out);
}

void combine_columns(const float* row, const std::int32_t* first, const float* weights, std::size_t stride,
                     std::size_t taps, const float* constants, std::size_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(columns)(row, first, weights, stride, taps, constants, count, out);
}

}  // namespace nerone::kernels
#endif
