#pragma once

// Vectors of 64 bytes, 16 pixels of a group, as the image kernels use them: one register of AVX-512.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "softdpu/jit/layout.hpp"

// Functions that use the intrinsics carry it: the rest of the program must run on processors without them.
#define NERONE_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define NERONE_AVX512_VBMI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))

namespace nerone::softdpu::jit::avx512 {

using Vector = __m512i;

NERONE_AVX512 inline Vector load(const std::uint8_t* from) { return _mm512_loadu_si512(from); }
NERONE_AVX512 inline void store(std::uint8_t* to, Vector v) { _mm512_store_si512(to, v); }
NERONE_AVX512 inline Vector nothing() { return _mm512_setzero_si512(); }
NERONE_AVX512 inline Vector bytes_of(std::uint8_t byte) { return _mm512_set1_epi8(static_cast<char>(byte)); }
NERONE_AVX512 inline Vector words_of(std::int16_t word) { return _mm512_set1_epi16(word); }
NERONE_AVX512 inline Vector max_bytes(Vector a, Vector b) { return _mm512_max_epu8(a, b); }
NERONE_AVX512 inline Vector min_bytes(Vector a, Vector b) { return _mm512_min_epu8(a, b); }
NERONE_AVX512 inline Vector and_bytes(Vector a, Vector b) { return _mm512_and_si512(a, b); }
// Sixteen bytes, aligned, in every 16 of a vector.
NERONE_AVX512 inline Vector sixteen_bytes(const std::uint8_t* from) {
  return _mm512_maskz_broadcast_i32x4(0xFFFF, _mm_load_si128(reinterpret_cast<const __m128i*>(from)));
}
// Of such a table the byte that each index names, 0 to 15.
NERONE_AVX512 inline Vector looked_up(Vector table, Vector index) { return _mm512_shuffle_epi8(table, index); }
// Of each byte the second one where the sign bit of `by` is set.
NERONE_AVX512 inline Vector chosen(Vector without, Vector with, Vector by) {
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(by), without, with);
}
// The four channels of one pixel, for all pixels.
NERONE_AVX512 inline Vector every_pixel(const std::uint8_t* from) {
  std::int32_t pixel = 0;
  std::memcpy(&pixel, from, sizeof pixel);
  return _mm512_set1_epi32(pixel);
}
NERONE_AVX512 inline Vector multiply_words(Vector a, Vector b) { return _mm512_mullo_epi16(a, b); }
NERONE_AVX512 inline Vector max_words(Vector a, Vector b) { return _mm512_max_epi16(a, b); }
NERONE_AVX512 inline Vector min_words(Vector a, Vector b) { return _mm512_min_epi16(a, b); }
NERONE_AVX512 inline Vector add_words(Vector a, Vector b) { return _mm512_add_epi16(a, b); }
NERONE_AVX512 inline Vector adds_words(Vector a, Vector b) { return _mm512_adds_epi16(a, b); }
NERONE_AVX512 inline Vector sub_words(Vector a, Vector b) { return _mm512_sub_epi16(a, b); }
NERONE_AVX512 inline Vector left_words(Vector a, int shift) { return _mm512_sll_epi16(a, _mm_cvtsi32_si128(shift)); }
NERONE_AVX512 inline Vector right_words(Vector a, int shift) { return _mm512_sra_epi16(a, _mm_cvtsi32_si128(shift)); }
NERONE_AVX512 inline Vector low_words(Vector bytes) { return _mm512_unpacklo_epi8(bytes, nothing()); }
NERONE_AVX512 inline Vector high_words(Vector bytes) { return _mm512_unpackhi_epi8(bytes, nothing()); }
// Of what low_words() and high_words() gave.
NERONE_AVX512 inline Vector bytes_of_words(Vector low, Vector high) { return _mm512_packus_epi16(low, high); }
NERONE_AVX512 inline Vector add_dwords(Vector a, Vector b) { return _mm512_add_epi32(a, b); }

// Pixels 0, 2, 4 ... (or 1, 3, 5 ...) of 32 adjacent ones.
NERONE_AVX512 inline Vector every_other(Vector low, Vector high, int first) {
  const __m512i evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return _mm512_permutex2var_epi32(low, _mm512_add_epi32(evens, _mm512_set1_epi32(first)), high);
}

// a0 b0 a1 b1 ... of the first eight (half 0) or the last eight pixels.
NERONE_AVX512 inline Vector interleaved(Vector a, Vector b, int half) {
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  return _mm512_permutex2var_epi32(a, half == 0 ? low : high, b);
}

// The first `pixels`, 0 to 16.
NERONE_AVX512 inline void store_first(std::uint8_t* to, Vector v, int pixels) {
  _mm512_mask_storeu_epi32(to, static_cast<__mmask16>((1U << pixels) - 1), v);
}

// All but the first `pixels`.
NERONE_AVX512 inline void store_rest(std::uint8_t* to, Vector v, int pixels) {
  _mm512_mask_storeu_epi32(to, static_cast<__mmask16>(0xFFFFU << pixels), v);
}

}  // namespace nerone::softdpu::jit::avx512
