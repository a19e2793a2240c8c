#include "softdpu/jit/sum_planes.hpp"

#include <cstring>

#include "softdpu/jit/avx512.hpp"

namespace nerone::softdpu::jit {
namespace {

constexpr int planes_per_channel = 9;
constexpr std::ptrdiff_t carried_stride = 4 * vector_bytes;

// Of 16 small pixels: what belongs to even and to odd columns.
struct Pair {
  __m512i even, odd;
};

NERONE_AVX512 Pair operator+(const Pair& a, const Pair& b) {
  return {_mm512_add_epi32(a.even, b.even), _mm512_add_epi32(a.odd, b.odd)};
}

NERONE_AVX512 Pair load_pair(const std::uint8_t* from) { return {load(from), load(from + vector_bytes)}; }

NERONE_AVX512 void store_pair(std::uint8_t* to, const Pair& pair) {
  _mm512_store_si512(to, pair.even);
  _mm512_store_si512(to + vector_bytes, pair.odd);
}

NERONE_AVX512 void store_interleaved(std::uint8_t* to, const Pair& pair) {
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  store_pair(
      to, {_mm512_permutex2var_epi32(pair.even, low, pair.odd), _mm512_permutex2var_epi32(pair.even, high, pair.odd)});
}

// Along x, of the three planes of a kernel row.
NERONE_AVX512 Pair sum_columns(const std::uint8_t* planes, std::ptrdiff_t stride) {
  const std::uint8_t *const middle = planes + stride, *const right = middle + stride;
  constexpr std::ptrdiff_t pixel = sizeof(std::int32_t);
  const __m512i centre = load(middle);
  return {_mm512_add_epi32(_mm512_add_epi32(load(planes - pixel), centre), load(right)),
          _mm512_add_epi32(_mm512_add_epi32(load(planes), centre), load(right + pixel))};
}

}  // namespace

PlaneSummer::PlaneSummer(int channels, int width) : channels_(channels), vectors_(divide_up(width, lanes)) {}

std::size_t PlaneSummer::planes_bytes() const {
  return static_cast<std::size_t>(channels_ * planes_per_channel * plane_stride() + vector_bytes);
}

std::size_t PlaneSummer::carried_bytes() const {
  return static_cast<std::size_t>(channels_) * static_cast<std::size_t>(vectors_) * carried_stride;
}

void PlaneSummer::begin(std::uint8_t* planes) const {
  for (int plane = 0; plane <= channels_ * planes_per_channel; ++plane) {
    std::memset(planes + plane * plane_stride(), 0, vector_bytes);
  }
}

NERONE_AVX512 void PlaneSummer::add_row(const std::uint8_t* planes, std::uint8_t* carried, std::uint8_t* odd,
                                        std::uint8_t* even) const {
  const std::ptrdiff_t stride = plane_stride();
  for (int channel = 0; channel < channels_; ++channel) {
    const std::uint8_t* from = planes + channel * planes_per_channel * stride + vector_bytes;
    std::ptrdiff_t to = channel * sums_stride();
    for (int i = 0; i < vectors_; ++i, from += vector_bytes, to += 2 * vector_bytes, carried += carried_stride) {
      const Pair top = sum_columns(from, stride), middle = sum_columns(from + 3 * stride, stride),
                 bottom = sum_columns(from + 6 * stride, stride);
      const Pair top_before = load_pair(carried), upper_before = load_pair(carried + 2 * vector_bytes);
      store_pair(carried, top);
      store_pair(carried + 2 * vector_bytes, top + middle);
      if (odd != nullptr) store_interleaved(odd + to, upper_before + bottom);
      store_interleaved(even + to, top_before + (middle + bottom));
    }
  }
}

NERONE_AVX512 void PlaneSummer::finish(const std::uint8_t* carried, std::uint8_t* odd) const {
  for (int i = 0; i < channels_ * vectors_; ++i, carried += carried_stride, odd += 2 * vector_bytes) {
    store_interleaved(odd, load_pair(carried + 2 * vector_bytes));
  }
}

}  // namespace nerone::softdpu::jit
