#include "kernels/softmax/softmax.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax/softmax.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nerone::kernels::HWY_NAMESPACE {

using IntTag = hn::Rebind<std::int32_t, FloatTag>;
using PairTag = hn::Rebind<std::uint16_t, FloatTag>;
using Pairs = hn::Vec<PairTag>;

// One pixel per lane, a vector per channel.
template <std::size_t Channels>
HWY_INLINE void load_values(const std::int8_t* from, Ints (&x)[Channels]) {
  const IntTag di;
  if constexpr (Channels == 3) {
    const hn::Rebind<std::int8_t, FloatTag> d8;
    hn::Vec<decltype(d8)> a, b, c;
    hn::LoadInterleaved3(d8, from, a, b, c);
    x[0] = hn::PromoteTo(di, a);
    x[1] = hn::PromoteTo(di, b);
    x[2] = hn::PromoteTo(di, c);
  } else {
    const PairTag d16;
    const auto* pairs = reinterpret_cast<const std::uint16_t*>(from);
    Pairs pair[4] = {};
    if constexpr (Channels == 2) {
      pair[0] = hn::LoadU(d16, pairs);
    } else if constexpr (Channels == 4) {
      hn::LoadInterleaved2(d16, pairs, pair[0], pair[1]);
    } else if constexpr (Channels == 6) {
      hn::LoadInterleaved3(d16, pairs, pair[0], pair[1], pair[2]);
    } else {
      hn::LoadInterleaved4(d16, pairs, pair[0], pair[1], pair[2], pair[3]);
    }
    for (std::size_t k = 0; k < Channels / 2; ++k) {
      const auto wide = hn::PromoteTo(di, pair[k]);
      x[2 * k] = hn::ShiftRight<24>(hn::ShiftLeft<24>(wide));
      x[2 * k + 1] = hn::ShiftRight<24>(hn::ShiftLeft<16>(wide));
    }
  }
}

// The table's value of each lane, 0 to 255.
class Powers {
 public:
#if HWY_TARGET == HWY_AVX3
  explicit HWY_INLINE Powers(const SoftmaxTable& table)
      : coarse_(_mm512_loadu_ps(table.coarse)), fine_(_mm512_loadu_ps(table.fine)) {}
  // A register holds sixteen values, and the lookup takes the lowest four bits of each index.
  HWY_INLINE Floats of(Ints index) const {
    const auto high = _mm512_permutexvar_ps(_mm512_srli_epi32(index.raw, 4), coarse_);
    return Floats{_mm512_mul_ps(high, _mm512_permutexvar_ps(index.raw, fine_))};
  }

 private:
  __m512 coarse_;
  __m512 fine_;
#else
  explicit HWY_INLINE Powers(const SoftmaxTable& table) : values_(table.values) {}
  HWY_INLINE Floats of(Ints index) const { return hn::GatherIndex(FloatTag(), values_, index); }

 private:
  const float* values_;
#endif
};

using WideTag = hn::Repartition<double, FloatTag>;
using Wide = hn::Vec<WideTag>;

// a0 b0 a1 b1 ... in order, two floats in each double.
HWY_INLINE void pair_up(Floats a, Floats b, Wide& low, Wide& high) {
  const FloatTag d;
  const WideTag dw;
#if HWY_TARGET == HWY_AVX3
  const auto first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const auto second = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  low = hn::BitCast(dw, Floats{_mm512_permutex2var_ps(a.raw, first, b.raw)});
  high = hn::BitCast(dw, Floats{_mm512_permutex2var_ps(a.raw, second, b.raw)});
#else
  const auto even = hn::BitCast(dw, hn::InterleaveLower(d, a, b));
  const auto odd = hn::BitCast(dw, hn::InterleaveUpper(d, a, b));
  low = even;
  high = odd;
  if constexpr (lanes == 8) {
    low = hn::ConcatLowerLower(dw, odd, even);
    high = hn::ConcatUpperUpper(dw, odd, even);
  }
#endif
}

template <std::size_t Channels>
HWY_INLINE void store_values(const Floats (&e)[Channels], float* out) {
  const FloatTag d;
  if constexpr (Channels == 2) {
    hn::StoreInterleaved2(e[0], e[1], d, out);
  } else if constexpr (Channels == 3) {
    hn::StoreInterleaved3(e[0], e[1], e[2], d, out);
  } else if constexpr (Channels == 4) {
    hn::StoreInterleaved4(e[0], e[1], e[2], e[3], d, out);
  } else {
    const WideTag dw;
    Wide low[Channels / 2];
    Wide high[Channels / 2];
    for (std::size_t k = 0; k < Channels / 2; ++k) pair_up(e[2 * k], e[2 * k + 1], low[k], high[k]);
    auto* first = reinterpret_cast<double*>(out);
    auto* second = reinterpret_cast<double*>(out + Channels * lanes / 2);
    if constexpr (Channels == 6) {
      hn::StoreInterleaved3(low[0], low[1], low[2], dw, first);
      hn::StoreInterleaved3(high[0], high[1], high[2], dw, second);
    } else {
      hn::StoreInterleaved4(low[0], low[1], low[2], low[3], dw, first);
      hn::StoreInterleaved4(high[0], high[1], high[2], high[3], dw, second);
    }
  }
}

template <std::size_t Channels>
std::size_t softmax_of(const std::int8_t* HWY_RESTRICT values, std::size_t pixels, const SoftmaxTable& table,
                       float* HWY_RESTRICT out) {
  const FloatTag d;
  const Powers powers(table);
  std::size_t p = 0;
  for (; p + lanes <= pixels; p += lanes) {
    Ints x[Channels];
    load_values<Channels>(values + p * Channels, x);
    auto top = x[0];
    for (std::size_t c = 1; c < Channels; ++c) top = hn::Max(top, x[c]);
    Floats e[Channels];
    e[0] = powers.of(hn::Sub(top, x[0]));
    auto sum = e[0];
    for (std::size_t c = 1; c < Channels; ++c) {
      e[c] = powers.of(hn::Sub(top, x[c]));
      sum = hn::Add(sum, e[c]);
    }
    const auto inverse = hn::Div(hn::Set(d, 1.0F), sum);
    for (std::size_t c = 0; c < Channels; ++c) e[c] = hn::Mul(e[c], inverse);
    store_values<Channels>(e, out + p * Channels);
  }
  return p;
}

void softmax_int8(const std::int8_t* values, std::size_t pixels, std::size_t channels, const SoftmaxTable& table,
                  float* out) {
  std::size_t done = 0;
  switch (channels) {
    case 2:
      done = softmax_of<2>(values, pixels, table, out);
      break;
    case 3:
      done = softmax_of<3>(values, pixels, table, out);
      break;
    case 4:
      done = softmax_of<4>(values, pixels, table, out);
      break;
    case 6:
      done = softmax_of<6>(values, pixels, table, out);
      break;
    case 8:
      done = softmax_of<8>(values, pixels, table, out);
      break;
    default:
      break;
  }
  scalar::softmax(values + done * channels, pixels - done, channels, table, out + done * channels);
}

}  // namespace nerone::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nerone::kernels {

HWY_EXPORT(softmax_int8);

void softmax(const std::int8_t* values, std::size_t pixels, std::size_t channels, const SoftmaxTable& table,
             float* out) {
  HWY_DYNAMIC_DISPATCH(softmax_int8)(values, pixels, channels, table, out);
}

}  // namespace nerone::kernels
#endif
