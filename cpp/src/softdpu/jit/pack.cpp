#include "softdpu/jit/pack.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "softdpu/jit/avx2.hpp"
#include "softdpu/jit/avx512.hpp"

namespace nerone::softdpu::jit {
namespace {

bool has_byte_permutation() {
  static const bool has = __builtin_cpu_supports("avx512vbmi") != 0;
  return has;
}

// Bytes from `begin` to `end`, counted from `from`, of a vector; the others read as zero and are not touched.
NERONE_AVX512 __m512i load_part(const std::int8_t* from, std::int64_t begin, std::int64_t end) {
  if (begin >= end || begin >= vector_bytes || end <= 0) return _mm512_setzero_si512();
  const auto below = [](std::int64_t count) { return count >= 64 ? ~0ULL : (1ULL << count) - 1; };
  const std::uint64_t mask = below(std::max<std::int64_t>(end, 0)) & ~below(std::max<std::int64_t>(begin, 0));
  return _mm512_maskz_loadu_epi8(mask, from);
}

// One load holds all bytes of 16 output pixels' group.
bool fits_one_load(const PackRule& rule) {
  return (lanes - 1) * rule.stride * rule.channels + group_channels <= vector_bytes;
}

NERONE_AVX512_VBMI void pack_row_vector(const std::int8_t* row, const PackRule& rule, int group, std::uint8_t* to,
                                        int vectors) {
  alignas(64) std::array<std::uint8_t, vector_bytes> order{};
  for (int i = 0; i < vector_bytes; ++i) {
    order[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i / 4 * rule.stride * rule.channels + i % 4);
  }
  const __m512i index = _mm512_load_si512(order.data());
  const std::int64_t end = static_cast<std::int64_t>(rule.width) * rule.channels;
  for (int i = 0; i < vectors; ++i) {
    const std::int64_t at = (std::int64_t{i} * lanes * rule.stride - rule.pad) * rule.channels + group * group_channels;
    const bool inside = at >= 0 && at + vector_bytes <= end;
    const __m512i bytes = inside ? _mm512_loadu_si512(row + at) : load_part(row + at, -at, end - at);
    _mm512_store_si512(to + static_cast<std::ptrdiff_t>(i) * vector_bytes,
                       _mm512_xor_si512(_mm512_permutex2var_epi8(bytes, index, bytes), avx512::bytes_of(zero_byte)));
  }
}

// Output pixels from `begin` to `end`.
void pack_row_bytes(const std::int8_t* row, const PackRule& rule, int group, std::uint8_t* to, int begin, int end) {
  const std::int64_t row_end = static_cast<std::int64_t>(rule.width) * rule.channels;
  for (int x = begin; x < end; ++x) {
    const std::int64_t at = (std::int64_t{x} * rule.stride - rule.pad) * rule.channels + group * group_channels;
    std::uint32_t pixel = 0;
    if (at >= 0 && at + group_channels <= row_end) {
      std::memcpy(&pixel, row + at, sizeof pixel);
    } else {
      for (int i = 0; i < group_channels; ++i) {
        const bool inside = at + i >= 0 && at + i < row_end;
        if (inside) pixel |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(row[at + i])) << (8 * i);
      }
    }
    pixel ^= 0x80808080U;
    std::memcpy(to + static_cast<std::ptrdiff_t>(x) * group_channels, &pixel, sizeof pixel);
  }
}

// Four pixels from one load of 16 bytes, or from two.
constexpr int shuffled_pixels = 4;
constexpr int shuffled_bytes = 16;

bool fits_one_shuffle(const PackRule& rule) {
  return (shuffled_pixels - 1) * rule.stride * rule.channels + group_channels <= shuffled_bytes;
}

bool fits_two_shuffles(const PackRule& rule) {
  return (shuffled_pixels / 2 - 1) * rule.stride * rule.channels + group_channels <= shuffled_bytes;
}

NERONE_AVX2 void pack_row_shuffled(const std::int8_t* row, const PackRule& rule, int group, std::uint8_t* to,
                                   int width) {
  alignas(shuffled_bytes) std::array<std::uint8_t, shuffled_bytes> order{};
  for (int i = 0; i < shuffled_bytes; ++i) {
    // Of what two loads give, the upper half of each is left out.
    order[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i / 4 * rule.stride * rule.channels + i % 4);
  }
  const __m128i index = _mm_load_si128(reinterpret_cast<const __m128i*>(order.data()));
  const __m128i flip = _mm_set1_epi8(static_cast<char>(zero_byte));
  const std::int64_t end = static_cast<std::int64_t>(rule.width) * rule.channels;
  const std::int64_t second = fits_one_shuffle(rule) ? 0 : shuffled_pixels / 2 * rule.stride * rule.channels;
  for (int x = 0; x < width; x += shuffled_pixels) {
    const std::int64_t at = (std::int64_t{x} * rule.stride - rule.pad) * rule.channels + group * group_channels;
    if (at < 0 || at + second + shuffled_bytes > end || x + shuffled_pixels > width) {
      pack_row_bytes(row, rule, group, to, x, std::min(x + shuffled_pixels, width));
      continue;
    }
    const auto shuffled = [&](std::int64_t from) NERONE_AVX2 {
      return _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(row + from)), index);
    };
    const __m128i first = shuffled(at);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + static_cast<std::ptrdiff_t>(x) * group_channels),
                     _mm_xor_si128(second == 0 ? first : _mm_unpacklo_epi64(first, shuffled(at + second)), flip));
  }
}

// Whole groups that are copied: four of them, of four pixels, at a time.
constexpr int block_size = 4;

bool has_blocks(const PackRule& rule) {
  return rule.kernel == 1 && rule.stride == 1 && rule.pad == 0 && rule.channels % (block_size * group_channels) == 0;
}

NERONE_AVX2 void pack_blocks(const std::int8_t* row, const PackRule& rule, int group, std::uint8_t* to,
                             std::ptrdiff_t group_bytes) {
  const __m128i flip = _mm_set1_epi8(static_cast<char>(zero_byte));
  const auto address = [&](int x) {
    return row + static_cast<std::ptrdiff_t>(x) * rule.channels + group * group_channels;
  };
  int x = 0;
  for (; x + block_size <= rule.width; x += block_size, to += block_size * group_channels) {
    avx2::Dwords dwords;
    for (int i = 0; i < block_size; ++i) {
      dwords.rows[i] = _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(address(x + i))), flip);
    }
    dwords = avx2::transposed(dwords);
    for (int i = 0; i < block_size; ++i) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i * group_bytes), dwords.rows[i]);
    }
  }
  for (; x < rule.width; ++x, to += group_channels) {
    for (int i = 0; i < block_size; ++i) {
      std::uint32_t pixel = 0;
      std::memcpy(&pixel, address(x) + i * group_channels, sizeof pixel);
      pixel ^= zero_byte * 0x01010101U;
      std::memcpy(to + i * group_bytes, &pixel, sizeof pixel);
    }
  }
}

// Makes zeros of what lies behind the pixels.
void finish_row(std::uint8_t* row, const Image& image) {
  const std::ptrdiff_t pixels = static_cast<std::ptrdiff_t>(image.width) * group_channels;
  std::memset(row + pixels, zero_byte, static_cast<std::size_t>(image.group_bytes - pixels));
}

}  // namespace

void pack(Isa isa, const std::int8_t* input, const PackRule& rule, const Image& output, const Range& rows) {
  const bool vectors = isa == Isa::avx512_vnni && has_byte_permutation() && fits_one_load(rule);
  const bool blocks = has_blocks(rule), shuffled = !vectors && fits_two_shuffles(rule);
  const std::ptrdiff_t row_bytes = static_cast<std::ptrdiff_t>(rule.width) * rule.channels;
  for (int y = rows.begin; y < std::min(rows.end, output.height); ++y) {
    for (int group = 0; group < output.groups; ++group) {
      std::uint8_t* const to = output.row(y, group);
      if (blocks) {
        if (group % block_size == 0) {
          pack_blocks(input + y * row_bytes, rule, group, to, output.group_bytes);
        }
      } else if (vectors) {
        pack_row_vector(input + y * row_bytes, rule, group, to, output.vectors());
      } else if (shuffled) {
        pack_row_shuffled(input + y * row_bytes, rule, group, to, output.width);
      } else {
        pack_row_bytes(input + y * row_bytes, rule, group, to, 0, output.width);
      }
      finish_row(to, output);
    }
  }
}

}  // namespace nerone::softdpu::jit
