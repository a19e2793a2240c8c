#include "softdpu/portable/pixels.hpp"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "softdpu/portable/pixels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

// Plain loops: the compiler vectorises them for each target.
HWY_BEFORE_NAMESPACE();
namespace nerone::softdpu::portable::HWY_NAMESPACE {

HWY_INLINE std::int8_t Narrowed(const Narrow& narrow, std::int32_t v) {
  std::int32_t y = v < -narrow.limit ? -narrow.limit : v > narrow.limit ? narrow.limit : v;
  y = (y * narrow.factor + narrow.round) >> narrow.right;
  if (narrow.negative_factor != 0 && v < 0) {
    y = v < -narrow.negative_limit ? -narrow.negative_limit : v;
    y = (y * narrow.negative_factor + narrow.negative_round) >> narrow.negative_right;
  }
  return static_cast<std::int8_t>(y < narrow.low ? narrow.low : y > narrow.high ? narrow.high : y);
}

void Requantize(const std::int8_t* HWY_RESTRICT source, std::int64_t count, const Narrow& given,
                std::int8_t* HWY_RESTRICT destination) {
  const Narrow narrow = given;
  for (std::int64_t i = 0; i < count; ++i) destination[i] = Narrowed(narrow, source[i]);
}

void RequantizeInPlace(std::int8_t* data, std::int64_t count, const Narrow& given) {
  const Narrow narrow = given;
  for (std::int64_t i = 0; i < count; ++i) data[i] = Narrowed(narrow, data[i]);
}

void Maximum(const std::int8_t* HWY_RESTRICT source, std::int64_t count, std::int8_t* HWY_RESTRICT destination) {
  for (std::int64_t i = 0; i < count; ++i) destination[i] = source[i] > destination[i] ? source[i] : destination[i];
}

template <std::size_t kLanes>
HWY_INLINE void MaximumVectors(const std::int8_t* HWY_RESTRICT source, std::int64_t source_step, std::int64_t pixels,
                               std::int64_t channels, std::int8_t* HWY_RESTRICT destination) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::FixedTag<std::int8_t, kLanes> d;
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    for (std::int64_t c = 0; c < channels; c += kLanes) {
      auto* result = destination + pixel * channels + c;
      hn::StoreU(hn::Max(hn::LoadU(d, result), hn::LoadU(d, source + pixel * source_step + c)), d, result);
    }
  }
}

void MaximumPixels(const std::int8_t* HWY_RESTRICT source, std::int64_t source_step, std::int64_t pixels,
                   std::int64_t channels, std::int8_t* HWY_RESTRICT destination) {
  if (channels % 16 == 0) return MaximumVectors<16>(source, source_step, pixels, channels, destination);
  if (channels % 8 == 0) return MaximumVectors<8>(source, source_step, pixels, channels, destination);
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    for (std::int64_t c = 0; c < channels; ++c) {
      auto& result = destination[pixel * channels + c];
      const auto other = source[pixel * source_step + c];
      result = other > result ? other : result;
    }
  }
}

void Accumulate(const std::int8_t* HWY_RESTRICT source, std::int64_t count, std::int32_t* HWY_RESTRICT sums) {
  for (std::int64_t i = 0; i < count; ++i) sums[i] += source[i];
}

void AccumulateShifted(const std::int8_t* HWY_RESTRICT source, std::int64_t count, int shift,
                       std::int32_t* HWY_RESTRICT sums) {
  for (std::int64_t i = 0; i < count; ++i) sums[i] += (4 * source[i]) >> shift;
}

void Multiply(const std::int8_t* HWY_RESTRICT source, std::int64_t count, std::int32_t* HWY_RESTRICT products) {
  for (std::int64_t i = 0; i < count; ++i) products[i] *= source[i];
}

void NarrowAll(const std::int32_t* HWY_RESTRICT values, std::int64_t count, std::int32_t factor, const Narrow& given,
               std::int8_t* HWY_RESTRICT destination) {
  const Narrow narrow = given;
  for (std::int64_t i = 0; i < count; ++i) destination[i] = Narrowed(narrow, factor * values[i]);
}

}  // namespace nerone::softdpu::portable::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nerone::softdpu::portable {

HWY_EXPORT(Requantize);
HWY_EXPORT(RequantizeInPlace);
HWY_EXPORT(Maximum);
HWY_EXPORT(MaximumPixels);
HWY_EXPORT(Accumulate);
HWY_EXPORT(AccumulateShifted);
HWY_EXPORT(Multiply);
HWY_EXPORT(NarrowAll);

void requantize(const std::int8_t* source, std::int64_t count, const Narrow& narrow, std::int8_t* destination) {
  HWY_DYNAMIC_DISPATCH(Requantize)(source, count, narrow, destination);
}
void requantize_in_place(std::int8_t* data, std::int64_t count, const Narrow& narrow) {
  HWY_DYNAMIC_DISPATCH(RequantizeInPlace)(data, count, narrow);
}
void maximum(const std::int8_t* source, std::int64_t count, std::int8_t* destination) {
  HWY_DYNAMIC_DISPATCH(Maximum)(source, count, destination);
}
void maximum_pixels(const std::int8_t* source, std::int64_t source_step, std::int64_t pixels, std::int64_t channels,
                    std::int8_t* destination) {
  HWY_DYNAMIC_DISPATCH(MaximumPixels)(source, source_step, pixels, channels, destination);
}
void accumulate(const std::int8_t* source, std::int64_t count, std::int32_t* sums) {
  HWY_DYNAMIC_DISPATCH(Accumulate)(source, count, sums);
}
void accumulate_shifted(const std::int8_t* source, std::int64_t count, int shift, std::int32_t* sums) {
  HWY_DYNAMIC_DISPATCH(AccumulateShifted)(source, count, shift, sums);
}
void multiply(const std::int8_t* source, std::int64_t count, std::int32_t* products) {
  HWY_DYNAMIC_DISPATCH(Multiply)(source, count, products);
}
void narrow_all(const std::int32_t* values, std::int64_t count, std::int32_t factor, const Narrow& narrow,
                std::int8_t* destination) {
  HWY_DYNAMIC_DISPATCH(NarrowAll)(values, count, factor, narrow, destination);
}

namespace {

struct Blocks {
  const std::int8_t* source;
  std::int64_t source_step;
  std::int8_t* destination;
  std::int64_t destination_step;
  std::int64_t count;

  void copy(std::size_t block) const {
    for (std::int64_t i = 0; i < count; ++i) {
      std::memcpy(destination + i * destination_step, source + i * source_step, block);
    }
  }
};

// A size that the compiler knows becomes one or two moves. Whether `block` is one of them.
template <std::size_t... kSizes>
bool copy_known(const Blocks& blocks, std::size_t block) {
  return ((block == kSizes && (blocks.copy(kSizes), true)) || ...);
}

}  // namespace

void copy_blocks(const std::int8_t* source, std::int64_t source_step, std::int8_t* destination,
                 std::int64_t destination_step, std::int64_t block, std::int64_t count) {
  const Blocks blocks{source, source_step, destination, destination_step, count};
  const auto size = static_cast<std::size_t>(block);
  if (!copy_known<1, 2, 4, 8, 16, 32, 64>(blocks, size)) blocks.copy(size);
}

}  // namespace nerone::softdpu::portable
#endif
