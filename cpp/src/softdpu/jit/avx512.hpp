#pragma once

// What the files with AVX-512 intrinsics share. Functions that use them carry NERONE_AVX512: the rest of the program
// must run on processors without it.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "softdpu/jit/image.hpp"

#define NERONE_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define NERONE_AVX512_VBMI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))

namespace nerone::softdpu::jit {

NERONE_AVX512 inline __m512i zeros() { return _mm512_set1_epi8(static_cast<char>(zero_byte)); }

NERONE_AVX512 inline __m512i load(const std::uint8_t* from) { return _mm512_loadu_si512(from); }

// Pixels 0, 2, 4 ... (or 1, 3, 5 ...) of 32 adjacent ones.
NERONE_AVX512 inline __m512i every_other(__m512i low, __m512i high, int first) {
  const __m512i evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return _mm512_permutex2var_epi32(low, _mm512_add_epi32(evens, _mm512_set1_epi32(first)), high);
}

// Makes zeros of what lies behind the pixels of a row whose vectors were all stored: the pad.
NERONE_AVX512 inline void finish_row(std::uint8_t* row, const Image& image) {
  const int rest = image.width % lanes;
  std::ptrdiff_t at = static_cast<std::ptrdiff_t>(image.width / lanes) * vector_bytes;
  if (rest != 0) {
    _mm512_mask_storeu_epi32(row + at, static_cast<__mmask16>(0xFFFFU << rest), zeros());
    at += vector_bytes;
  }
  for (; at < image.group_bytes; at += vector_bytes) _mm512_store_si512(row + at, zeros());
}

}  // namespace nerone::softdpu::jit
