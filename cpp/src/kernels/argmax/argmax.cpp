#include "kernels/argmax/argmax.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/argmax/argmax.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nerone::kernels::HWY_NAMESPACE {

using PairTag = hn::CappedTag<std::uint16_t, 32>;
using KeyTag = hn::RebindToSigned<PairTag>;
using Pairs = hn::Vec<PairTag>;
using Keys = hn::Vec<KeyTag>;

// A key has the value in its high byte and 255 - channel in its low byte: the greatest key is the first maximum.
HWY_INLINE Keys greater_key(Keys best, Pairs pair, std::size_t channel) {
  const PairTag d;
  const KeyTag dk;
  const auto rank = [&](std::size_t c) NERONE_INLINE { return hn::Set(d, static_cast<std::uint16_t>(255 - c)); };
  const auto even = hn::Or(hn::ShiftLeft<8>(pair), rank(channel));
  const auto odd = hn::Or(hn::And(pair, hn::Set(d, std::uint16_t{0xFF00})), rank(channel + 1));
  return hn::Max(best, hn::Max(hn::BitCast(dk, even), hn::BitCast(dk, odd)));
}

HWY_INLINE void store_classes(Keys key, std::uint8_t* classes) {
  const KeyTag dk;
  const auto channel = hn::Xor(hn::And(key, hn::Set(dk, std::int16_t{0xFF})), hn::Set(dk, std::int16_t{0xFF}));
  const hn::Rebind<std::uint8_t, KeyTag> d8;
  hn::StoreU(hn::DemoteTo(d8, channel), d8, classes);
}

// Two, four, six or eight channels: one to four interleaved pairs of bytes.
template <std::size_t Pairs_>
std::size_t argmax_pairs(const std::int8_t* HWY_RESTRICT values, std::size_t pixels,
                         std::uint8_t* HWY_RESTRICT classes) {
  const PairTag d;
  constexpr std::size_t step = hn::MaxLanes(PairTag());
  std::size_t p = 0;
  for (; p + step <= pixels; p += step) {
    const auto* from = reinterpret_cast<const std::uint16_t*>(values + p * Pairs_ * 2);
    Pairs pair[4] = {};
    if constexpr (Pairs_ == 1) {
      pair[0] = hn::LoadU(d, from);
    } else if constexpr (Pairs_ == 2) {
      hn::LoadInterleaved2(d, from, pair[0], pair[1]);
    } else if constexpr (Pairs_ == 3) {
      hn::LoadInterleaved3(d, from, pair[0], pair[1], pair[2]);
    } else {
      hn::LoadInterleaved4(d, from, pair[0], pair[1], pair[2], pair[3]);
    }
    auto best = hn::Set(KeyTag(), std::int16_t{-32768});
    for (std::size_t k = 0; k < Pairs_; ++k) best = greater_key(best, pair[k], 2 * k);
    store_classes(best, classes + p);
  }
  return p;
}

std::size_t argmax_three(const std::int8_t* HWY_RESTRICT values, std::size_t pixels,
                         std::uint8_t* HWY_RESTRICT classes) {
  const hn::CappedTag<std::int8_t, 64> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  constexpr std::size_t step = hn::MaxLanes(d);
  std::size_t p = 0;
  for (; p + step <= pixels; p += step) {
    hn::Vec<decltype(d)> a, b, c;
    hn::LoadInterleaved3(d, values + 3 * p, a, b, c);
    const auto second = hn::VecFromMask(d, hn::Gt(b, a));
    const auto third = hn::Gt(c, hn::Max(a, b));
    const auto channel = hn::IfThenElse(third, hn::Set(d, std::int8_t{2}), hn::And(second, hn::Set(d, std::int8_t{1})));
    hn::StoreU(hn::BitCast(du, channel), du, classes + p);
  }
  return p;
}

// Any number of channels from five: four bytes at a time, one pixel per 32-bit lane.
std::size_t argmax_gathered(const std::int8_t* HWY_RESTRICT values, std::size_t pixels, std::size_t channels,
                            std::uint8_t* HWY_RESTRICT classes) {
  const hn::CappedTag<std::int32_t, 16> d;
  constexpr std::size_t step = hn::MaxLanes(d);
  const auto offsets = hn::Mul(hn::Iota(d, 0), hn::Set(d, static_cast<std::int32_t>(channels)));
  const auto top = hn::Set(d, static_cast<std::int32_t>(0xFF000000U));
  std::size_t p = 0;
  // The last pixel is left out: its last four bytes may end behind the array.
  for (; p + step < pixels; p += step) {
    const std::int8_t* from = values + p * channels;
    auto best = hn::Set(d, INT32_MIN);
    for (std::size_t c = 0; c < channels; c += 4) {
      const auto four = hn::GatherOffset(d, reinterpret_cast<const std::int32_t*>(from + c), offsets);
      const auto take = [&](hn::Vec<decltype(d)> value, std::size_t channel) NERONE_INLINE {
        best = hn::Max(best, hn::Or(hn::And(value, top), hn::Set(d, static_cast<std::int32_t>(255 - channel))));
      };
      take(hn::ShiftLeft<24>(four), c);
      if (c + 1 < channels) take(hn::ShiftLeft<16>(four), c + 1);
      if (c + 2 < channels) take(hn::ShiftLeft<8>(four), c + 2);
      if (c + 3 < channels) take(four, c + 3);
    }
    const auto channel = hn::Xor(hn::And(best, hn::Set(d, 255)), hn::Set(d, 255));
    const hn::Rebind<std::uint8_t, decltype(d)> d8;
    hn::StoreU(hn::DemoteTo(d8, channel), d8, classes + p);
  }
  return p;
}

void argmax_int8(const std::int8_t* values, std::size_t pixels, std::size_t channels, std::uint8_t* classes) {
  std::size_t done = 0;
  switch (channels) {
    case 1:
      std::memset(classes, 0, pixels);
      return;
    case 2:
      done = argmax_pairs<1>(values, pixels, classes);
      break;
    case 3:
      done = argmax_three(values, pixels, classes);
      break;
    case 4:
      done = argmax_pairs<2>(values, pixels, classes);
      break;
    case 6:
      done = argmax_pairs<3>(values, pixels, classes);
      break;
    case 8:
      done = argmax_pairs<4>(values, pixels, classes);
      break;
    default:
      done = argmax_gathered(values, pixels, channels, classes);
  }
  scalar::argmax(values + done * channels, pixels - done, channels, classes + done);
}

}  // namespace nerone::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nerone::kernels {

HWY_EXPORT(argmax_int8);

void argmax(const std::int8_t* values, std::size_t pixels, std::size_t channels, std::uint8_t* classes) {
  HWY_DYNAMIC_DISPATCH(argmax_int8)(values, pixels, channels, classes);
}

}  // namespace nerone::kernels
#endif
