#pragma once

// The same for AVX2: a vector is two registers.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "softdpu/jit/layout.hpp"

#define NERONE_AVX2 __attribute__((target("avx2")))

namespace nerone::softdpu::jit::avx2 {

struct Vector {
  __m256i low, high;
};

inline constexpr int half_pixels = lanes / 2;
inline constexpr int half_bytes = vector_bytes / 2;

// Four rows of four dwords.
struct Dwords {
  __m128i rows[4];
};

NERONE_AVX2 inline Dwords transposed(const Dwords& from) {
  const __m128i low01 = _mm_unpacklo_epi32(from.rows[0], from.rows[1]);
  const __m128i low23 = _mm_unpacklo_epi32(from.rows[2], from.rows[3]);
  const __m128i high01 = _mm_unpackhi_epi32(from.rows[0], from.rows[1]);
  const __m128i high23 = _mm_unpackhi_epi32(from.rows[2], from.rows[3]);
  return {{_mm_unpacklo_epi64(low01, low23), _mm_unpackhi_epi64(low01, low23), _mm_unpacklo_epi64(high01, high23),
           _mm_unpackhi_epi64(high01, high23)}};
}

NERONE_AVX2 inline __m256i load_half(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
NERONE_AVX2 inline Vector load(const std::uint8_t* from) { return {load_half(from), load_half(from + half_bytes)}; }
NERONE_AVX2 inline void store(std::uint8_t* to, Vector v) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(to), v.low);
  _mm256_store_si256(reinterpret_cast<__m256i*>(to + half_bytes), v.high);
}
NERONE_AVX2 inline Vector twice(__m256i half) { return {half, half}; }
NERONE_AVX2 inline Vector nothing() { return twice(_mm256_setzero_si256()); }
NERONE_AVX2 inline Vector bytes_of(std::uint8_t byte) { return twice(_mm256_set1_epi8(static_cast<char>(byte))); }
NERONE_AVX2 inline Vector words_of(std::int16_t word) { return twice(_mm256_set1_epi16(word)); }
NERONE_AVX2 inline Vector max_bytes(Vector a, Vector b) {
  return {_mm256_max_epu8(a.low, b.low), _mm256_max_epu8(a.high, b.high)};
}
NERONE_AVX2 inline Vector min_bytes(Vector a, Vector b) {
  return {_mm256_min_epu8(a.low, b.low), _mm256_min_epu8(a.high, b.high)};
}
NERONE_AVX2 inline Vector and_bytes(Vector a, Vector b) {
  return {_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
}
NERONE_AVX2 inline Vector sixteen_bytes(const std::uint8_t* from) {
  return twice(_mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(from))));
}
NERONE_AVX2 inline Vector looked_up(Vector table, Vector index) {
  return {_mm256_shuffle_epi8(table.low, index.low), _mm256_shuffle_epi8(table.high, index.high)};
}
NERONE_AVX2 inline Vector chosen(Vector without, Vector with, Vector by) {
  return {_mm256_blendv_epi8(without.low, with.low, by.low), _mm256_blendv_epi8(without.high, with.high, by.high)};
}
NERONE_AVX2 inline Vector every_pixel(const std::uint8_t* from) {
  std::int32_t pixel = 0;
  std::memcpy(&pixel, from, sizeof pixel);
  return twice(_mm256_set1_epi32(pixel));
}
NERONE_AVX2 inline Vector multiply_words(Vector a, Vector b) {
  return {_mm256_mullo_epi16(a.low, b.low), _mm256_mullo_epi16(a.high, b.high)};
}
NERONE_AVX2 inline Vector max_words(Vector a, Vector b) {
  return {_mm256_max_epi16(a.low, b.low), _mm256_max_epi16(a.high, b.high)};
}
NERONE_AVX2 inline Vector min_words(Vector a, Vector b) {
  return {_mm256_min_epi16(a.low, b.low), _mm256_min_epi16(a.high, b.high)};
}
NERONE_AVX2 inline Vector add_words(Vector a, Vector b) {
  return {_mm256_add_epi16(a.low, b.low), _mm256_add_epi16(a.high, b.high)};
}
NERONE_AVX2 inline Vector adds_words(Vector a, Vector b) {
  return {_mm256_adds_epi16(a.low, b.low), _mm256_adds_epi16(a.high, b.high)};
}
NERONE_AVX2 inline Vector sub_words(Vector a, Vector b) {
  return {_mm256_sub_epi16(a.low, b.low), _mm256_sub_epi16(a.high, b.high)};
}
NERONE_AVX2 inline Vector bytes_of_words(Vector a, Vector b) {
  return {_mm256_packus_epi16(a.low, b.low), _mm256_packus_epi16(a.high, b.high)};
}
NERONE_AVX2 inline Vector add_dwords(Vector a, Vector b) {
  return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
NERONE_AVX2 inline Vector left_words(Vector a, int shift) {
  const __m128i count = _mm_cvtsi32_si128(shift);
  return {_mm256_sll_epi16(a.low, count), _mm256_sll_epi16(a.high, count)};
}
NERONE_AVX2 inline Vector right_words(Vector a, int shift) {
  const __m128i count = _mm_cvtsi32_si128(shift);
  return {_mm256_sra_epi16(a.low, count), _mm256_sra_epi16(a.high, count)};
}
NERONE_AVX2 inline Vector low_words(Vector bytes) {
  const __m256i zero = _mm256_setzero_si256();
  return {_mm256_unpacklo_epi8(bytes.low, zero), _mm256_unpacklo_epi8(bytes.high, zero)};
}
NERONE_AVX2 inline Vector high_words(Vector bytes) {
  const __m256i zero = _mm256_setzero_si256();
  return {_mm256_unpackhi_epi8(bytes.low, zero), _mm256_unpackhi_epi8(bytes.high, zero)};
}

NERONE_AVX2 inline __m256i every_other_half(__m256i low, __m256i high, int first) {
  const __m256 a = _mm256_castsi256_ps(low), b = _mm256_castsi256_ps(high);
  const __m256 mixed = first == 0 ? _mm256_shuffle_ps(a, b, 0b10001000) : _mm256_shuffle_ps(a, b, 0b11011101);
  return _mm256_permute4x64_epi64(_mm256_castps_si256(mixed), 0b11011000);
}
NERONE_AVX2 inline Vector every_other(Vector low, Vector high, int first) {
  return {every_other_half(low.low, low.high, first), every_other_half(high.low, high.high, first)};
}

NERONE_AVX2 inline Vector interleaved(Vector a, Vector b, int half) {
  const __m256i from = half == 0 ? a.low : a.high, with = half == 0 ? b.low : b.high;
  const __m256i first = _mm256_unpacklo_epi32(from, with), second = _mm256_unpackhi_epi32(from, with);
  return {_mm256_permute2x128_si256(first, second, 0x20), _mm256_permute2x128_si256(first, second, 0x31)};
}

// Lanes from `begin` on, where it is positive; none from 8 on.
NERONE_AVX2 inline __m256i lanes_from(int begin) {
  return _mm256_cmpgt_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(begin - 1));
}
NERONE_AVX2 inline void store_masked(std::uint8_t* to, __m256i v, __m256i mask) {
  _mm256_maskstore_epi32(reinterpret_cast<int*>(to), mask, v);
}
NERONE_AVX2 inline void store_first(std::uint8_t* to, Vector v, int pixels) {
  const __m256i all = _mm256_set1_epi32(-1);
  store_masked(to, v.low, _mm256_xor_si256(lanes_from(pixels), all));
  store_masked(to + half_bytes, v.high, _mm256_xor_si256(lanes_from(pixels - half_pixels), all));
}
NERONE_AVX2 inline void store_rest(std::uint8_t* to, Vector v, int pixels) {
  store_masked(to, v.low, lanes_from(pixels));
  store_masked(to + half_bytes, v.high, lanes_from(pixels - half_pixels));
}

}  // namespace nerone::softdpu::jit::avx2
