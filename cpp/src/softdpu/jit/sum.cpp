#include "softdpu/jit/sum.hpp"

#include <algorithm>

#include "softdpu/jit/avx512.hpp"

namespace nerone::softdpu::jit {
namespace {

struct Words {
  __m512i low, high;  // as the instructions that pack bytes again expect them
};

NERONE_AVX512 Words scaled(const std::uint8_t* from, int shift) {
  const __m512i bytes = load(from), zero = _mm512_setzero_si512(), offset = _mm512_set1_epi16(4 * zero_byte);
  const __m128i count = _mm_cvtsi32_si128(std::min(shift, 15));
  const auto scale = [&](__m512i words) NERONE_AVX512 {
    return _mm512_sra_epi16(_mm512_sub_epi16(_mm512_slli_epi16(words, 2), offset), count);
  };
  return {scale(_mm512_unpacklo_epi8(bytes, zero)), scale(_mm512_unpackhi_epi8(bytes, zero))};
}

NERONE_AVX512 __m512i rounded(__m512i sum, int shift) {
  if (shift > 0) {
    const __m512i half = _mm512_set1_epi16(static_cast<std::int16_t>(1 << (shift - 1)));
    return _mm512_sra_epi16(_mm512_add_epi16(sum, half), _mm_cvtsi32_si128(shift));
  }
  // Beyond int8 before the shift is beyond int8 after it; a shift by 8 saturates all but 0.
  sum = _mm512_max_epi16(_mm512_min_epi16(sum, _mm512_set1_epi16(127)), _mm512_set1_epi16(-128));
  return _mm512_sll_epi16(sum, _mm_cvtsi32_si128(std::min(-shift, 8)));
}

NERONE_AVX512 __m512i finished(Words sums, const SumRule& rule) {
  const __m512i offset = _mm512_set1_epi16(zero_byte);
  const __m512i low = _mm512_adds_epi16(rounded(sums.low, rule.shift), offset);
  const __m512i high = _mm512_adds_epi16(rounded(sums.high, rule.shift), offset);
  const __m512i bytes = _mm512_packus_epi16(low, high);
  return _mm512_min_epu8(_mm512_max_epu8(bytes, _mm512_set1_epi8(static_cast<char>(rule.low))),
                         _mm512_set1_epi8(static_cast<char>(rule.high)));
}

NERONE_AVX512 __m512i exact_vector(const ConstImage* inputs, const SumRule& rule, int y, int group, std::ptrdiff_t at) {
  Words sums = scaled(inputs[0].row(y, group) + at, rule.input_shifts[0]);
  for (std::size_t input = 1; input < rule.input_shifts.size(); ++input) {
    const Words more = scaled(inputs[input].row(y, group) + at, rule.input_shifts[input]);
    sums.low = _mm512_add_epi16(sums.low, more.low);
    sums.high = _mm512_add_epi16(sums.high, more.high);
  }
  return finished(sums, rule);
}

// Nothing is cut off the inputs, and all offsets fit one 16-bit constant with the rounding and the output's own.
bool is_plain(const SumRule& rule) {
  const bool whole =
      std::all_of(rule.input_shifts.begin(), rule.input_shifts.end(), [](int shift) { return shift <= 2; });
  return whole && rule.input_shifts.size() <= 4 && rule.shift > 0 && rule.shift <= 6;
}

std::int16_t plain_offset(const SumRule& rule) {
  int offset = (zero_byte << rule.shift) + (1 << (rule.shift - 1));
  for (const int shift : rule.input_shifts) offset -= zero_byte << (2 - shift);
  return static_cast<std::int16_t>(offset);
}

NERONE_AVX512 __m512i plain_vector(const ConstImage* inputs, const SumRule& rule, int y, int group, std::ptrdiff_t at,
                                   __m512i offset) {
  const __m512i zero = _mm512_setzero_si512();
  Words sums{offset, offset};
  for (std::size_t input = 0; input < rule.input_shifts.size(); ++input) {
    const __m512i bytes = load(inputs[input].row(y, group) + at);
    const __m128i count = _mm_cvtsi32_si128(2 - rule.input_shifts[input]);
    sums.low = _mm512_add_epi16(sums.low, _mm512_sll_epi16(_mm512_unpacklo_epi8(bytes, zero), count));
    sums.high = _mm512_add_epi16(sums.high, _mm512_sll_epi16(_mm512_unpackhi_epi8(bytes, zero), count));
  }
  const __m128i count = _mm_cvtsi32_si128(rule.shift);
  const __m512i bytes = _mm512_packus_epi16(_mm512_sra_epi16(sums.low, count), _mm512_sra_epi16(sums.high, count));
  return _mm512_min_epu8(_mm512_max_epu8(bytes, _mm512_set1_epi8(static_cast<char>(rule.low))),
                         _mm512_set1_epi8(static_cast<char>(rule.high)));
}

NERONE_AVX512 void sum_row(const ConstImage* inputs, const SumRule& rule, const Image& output, int y, int group,
                           bool plain) {
  std::uint8_t* const to = output.row(y, group);
  const __m512i offset = _mm512_set1_epi16(plain ? plain_offset(rule) : std::int16_t{0});
  for (int i = 0; i < output.vectors(); ++i) {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(i) * vector_bytes;
    _mm512_store_si512(
        to + at, plain ? plain_vector(inputs, rule, y, group, at, offset) : exact_vector(inputs, rule, y, group, at));
  }
  finish_row(to, output);
}

}  // namespace

void sum(const ConstImage* inputs, const SumRule& rule, const Image& output) {
  const bool plain = is_plain(rule);
  for (int y = 0; y < output.height; ++y) {
    for (int group = 0; group < output.groups; ++group) sum_row(inputs, rule, output, y, group, plain);
  }
}

}  // namespace nerone::softdpu::jit
