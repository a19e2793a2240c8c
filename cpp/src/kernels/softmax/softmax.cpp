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
    HWY_ALIGN float tile[Channels * lanes];
    for (std::size_t c = 0; c < Channels; ++c) hn::Store(e[c], d, tile + c * lanes);
    for (std::size_t p = 0; p < lanes; ++p) {
      for (std::size_t c = 0; c < Channels; ++c) out[p * Channels + c] = tile[c * lanes + p];
    }
  }
}

template <std::size_t Channels>
std::size_t softmax_of(const std::int8_t* HWY_RESTRICT values, std::size_t pixels, const float* HWY_RESTRICT table,
                       float* HWY_RESTRICT out) {
  const FloatTag d;
  std::size_t p = 0;
  for (; p + lanes <= pixels; p += lanes) {
    Ints x[Channels];
    load_values<Channels>(values + p * Channels, x);
    auto top = x[0];
    for (std::size_t c = 1; c < Channels; ++c) top = hn::Max(top, x[c]);
    Floats e[Channels];
    e[0] = hn::GatherIndex(d, table, hn::Sub(top, x[0]));
    auto sum = e[0];
    for (std::size_t c = 1; c < Channels; ++c) {
      e[c] = hn::GatherIndex(d, table, hn::Sub(top, x[c]));
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
      done = softmax_of<2>(values, pixels, table.values, out);
      break;
    case 3:
      done = softmax_of<3>(values, pixels, table.values, out);
      break;
    case 4:
      done = softmax_of<4>(values, pixels, table.values, out);
      break;
    case 6:
      done = softmax_of<6>(values, pixels, table.values, out);
      break;
    case 8:
      done = softmax_of<8>(values, pixels, table.values, out);
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
