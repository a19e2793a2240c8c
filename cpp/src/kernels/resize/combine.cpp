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

// Vectors that are summed side by side, so that no sum waits for its own last addition.
constexpr std::size_t side_by_side = 4;

// Taps == 0: any number, given by `taps`.
template <std::size_t Vectors, std::size_t Taps, typename T>
HWY_INLINE void rows_at(FloatTag d, const T* const* rows, const float* weights, std::size_t taps, float constant,
                        std::size_t i, float* HWY_RESTRICT out) {
  const std::size_t n = Taps == 0 ? taps : Taps;
  Floats sums[Vectors];
  const auto weighted = [&](std::size_t k, std::size_t v) NERONE_INLINE {
    return hn::Mul(load_pixels(d, rows[k] + i + v * lanes), hn::Set(d, weights[k]));
  };
  for (std::size_t v = 0; v < Vectors; ++v) sums[v] = weighted(0, v);
  for (std::size_t k = 1; k < n; ++k) {
    for (std::size_t v = 0; v < Vectors; ++v) sums[v] = hn::Add(sums[v], weighted(k, v));
  }
  if (constant != 0.0F) {
    for (std::size_t v = 0; v < Vectors; ++v) sums[v] = hn::Add(sums[v], hn::Set(d, constant));
  }
  for (std::size_t v = 0; v < Vectors; ++v) hn::StoreU(sums[v], d, out + i + v * lanes);
}

template <typename T, std::size_t Taps>
void rows_typed(const void* const* pointers, const float* HWY_RESTRICT weights, std::size_t taps, float constant,
                std::size_t count, float* HWY_RESTRICT out) {
  const FloatTag d;
  const std::size_t n = Taps == 0 ? taps : Taps;
  const T* known[Taps == 0 ? 1 : Taps];
  for (std::size_t k = 0; k < Taps; ++k) known[k] = static_cast<const T*>(pointers[k]);
  const T* const* rows = Taps == 0 ? reinterpret_cast<const T* const*>(pointers) : known;
  std::size_t i = 0;
  for (; i + side_by_side * lanes <= count; i += side_by_side * lanes) {
    rows_at<side_by_side, Taps>(d, rows, weights, n, constant, i, out);
  }
  for (; i + lanes <= count; i += lanes) rows_at<1, Taps>(d, rows, weights, n, constant, i, out);
  for (; i < count; ++i) {
    float sum = scalar::enter(rows[0][i]) * weights[0];
    for (std::size_t k = 1; k < n; ++k) sum = sum + scalar::enter(rows[k][i]) * weights[k];
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
      case 5:
        return rows_typed<T, 5>(pointers, weights, 5, constant, count, out);
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

void columns_of_row(const float* HWY_RESTRICT row, const std::int32_t* HWY_RESTRICT first,
                    const float* HWY_RESTRICT weights, std::size_t stride, std::size_t taps, const float* constants,
                    std::size_t count, float* HWY_RESTRICT out) {
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

// The same column of four rows side by side, so that a vector is read where its first tap lies and nothing is looked
// up.
template <std::size_t Taps>
void columns_of_four(const float* const* rows, const std::int32_t* HWY_RESTRICT first,
                     const float* HWY_RESTRICT weights, std::size_t stride, std::size_t taps, const float* constants,
                     std::size_t count, float* const* out, float* HWY_RESTRICT scratch) {
  const FloatTag d;
  const std::size_t n = Taps == 0 ? taps : Taps;
  const auto begin = static_cast<std::size_t>(first[0]);
  const std::size_t end = static_cast<std::size_t>(first[count - 1]) + n;
  for (std::size_t c = begin; c < end; c += 4) {
    hn::StoreInterleaved4(hn::LoadU(d, rows[0] + c), hn::LoadU(d, rows[1] + c), hn::LoadU(d, rows[2] + c),
                          hn::LoadU(d, rows[3] + c), d, scratch + 4 * (c - begin));
  }
  const auto column = [&](std::size_t x)
                          NERONE_INLINE { return scratch + 4 * (static_cast<std::size_t>(first[x]) - begin); };
  std::size_t x = 0;
  for (; x + 4 <= count; x += 4) {
    const float* from[] = {column(x), column(x + 1), column(x + 2), column(x + 3)};
    const auto w = hn::LoadU(d, weights + x);
    auto a = hn::Mul(hn::LoadU(d, from[0]), hn::Broadcast<0>(w));
    auto b = hn::Mul(hn::LoadU(d, from[1]), hn::Broadcast<1>(w));
    auto e = hn::Mul(hn::LoadU(d, from[2]), hn::Broadcast<2>(w));
    auto f = hn::Mul(hn::LoadU(d, from[3]), hn::Broadcast<3>(w));
    for (std::size_t k = 1; k < n; ++k) {
      const auto next = hn::LoadU(d, weights + k * stride + x);
      a = hn::Add(a, hn::Mul(hn::LoadU(d, from[0] + 4 * k), hn::Broadcast<0>(next)));
      b = hn::Add(b, hn::Mul(hn::LoadU(d, from[1] + 4 * k), hn::Broadcast<1>(next)));
      e = hn::Add(e, hn::Mul(hn::LoadU(d, from[2] + 4 * k), hn::Broadcast<2>(next)));
      f = hn::Add(f, hn::Mul(hn::LoadU(d, from[3] + 4 * k), hn::Broadcast<3>(next)));
    }
    if (constants != nullptr) {
      a = hn::Add(a, hn::Set(d, constants[x])), b = hn::Add(b, hn::Set(d, constants[x + 1]));
      e = hn::Add(e, hn::Set(d, constants[x + 2])), f = hn::Add(f, hn::Set(d, constants[x + 3]));
    }
    const auto low_even = hn::InterleaveLower(d, a, e), low_odd = hn::InterleaveLower(d, b, f);
    const auto high_even = hn::InterleaveUpper(d, a, e), high_odd = hn::InterleaveUpper(d, b, f);
    hn::StoreU(hn::InterleaveLower(d, low_even, low_odd), d, out[0] + x);
    hn::StoreU(hn::InterleaveUpper(d, low_even, low_odd), d, out[1] + x);
    hn::StoreU(hn::InterleaveLower(d, high_even, high_odd), d, out[2] + x);
    hn::StoreU(hn::InterleaveUpper(d, high_even, high_odd), d, out[3] + x);
  }
  for (std::size_t r = 0; r < 4; ++r) {
    scalar::combine_columns(rows[r], first + x, weights + x, stride, taps,
                            constants == nullptr ? nullptr : constants + x, count - x, out[r] + x);
  }
}

void columns(const float* const* rows, std::size_t row_count, const std::int32_t* first, const float* weights,
             std::size_t stride, std::size_t taps, const float* constants, std::size_t count, float* const* out,
             float* scratch) {
  std::size_t r = 0;
  if constexpr (lanes == 4) {
    for (; r + 4 <= row_count && count > 0; r += 4) {
      const auto four = taps == 4   ? columns_of_four<4>
                        : taps == 5 ? columns_of_four<5>
                        : taps == 6 ? columns_of_four<6>
                                    : columns_of_four<0>;
      four(rows + r, first, weights, stride, taps, constants, count, out + r, scratch);
    }
  } else {
    (void)scratch;
  }
  for (; r < row_count; ++r) columns_of_row(rows[r], first, weights, stride, taps, constants, count, out[r]);
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

void combine_columns(const float* const* rows, std::size_t row_count, const std::int32_t* first, const float* weights,
                     std::size_t stride, std::size_t taps, const float* constants, std::size_t count, float* const* out,
                     float* scratch) {
  HWY_DYNAMIC_DISPATCH(columns)
  (rows, row_count, first, weights, stride, taps, constants, count, out, scratch);
}

}  // namespace nerone::kernels
#endif
