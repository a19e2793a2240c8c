#include <algorithm>
#include <cstring>
#include <utility>

#include "softdpu/jit/avx2.hpp"
#include "softdpu/jit/avx512.hpp"
#include "softdpu/jit/pack.hpp"

namespace nerone::softdpu::jit {

namespace {

constexpr std::ptrdiff_t shuffled_bytes = 16;

// Pixels of so many groups in 16 bytes.
int shuffled_pixels(int groups) { return groups == 1 ? 4 : 2; }

}  // namespace

// What one permutation or shuffle reads.
bool Unpacker::has_two_groups() const {
  constexpr int max_positions = 2 * group_channels;
  return positions_.size() <= max_positions && *std::max_element(positions_.begin(), positions_.end()) < max_positions;
}

Unpacker::Unpacker(Isa isa, std::vector<int> positions) : positions_(std::move(positions)) {
  bool in_order = positions_.size() % group_channels == 0;
  for (std::size_t i = 0; i < positions_.size(); ++i) in_order = in_order && positions_[i] == static_cast<int>(i);
  if (in_order) method_ = Method::blocks;
  static const bool has_byte_permutation = __builtin_cpu_supports("avx512vbmi") != 0;
  if (!has_two_groups()) return;
  method_ = isa == Isa::avx512_vnni && has_byte_permutation ? Method::vectors : Method::shuffled;
  const int groups = *std::max_element(positions_.begin(), positions_.end()) / group_channels + 1;
  const int pixels = method_ == Method::vectors ? lanes : shuffled_pixels(groups);
  const int group_stride = method_ == Method::vectors ? vector_bytes : static_cast<int>(shuffled_bytes) / 2;
  const std::size_t channels = positions_.size();
  for (std::size_t i = 0; i < channels * static_cast<std::size_t>(pixels); ++i) {
    const auto pixel = static_cast<int>(i / channels);
    const int position = positions_[i % channels];
    order_[i] = static_cast<std::uint8_t>(position / group_channels * group_stride + pixel * group_channels +
                                          position % group_channels);
  }
}

NERONE_AVX512_VBMI void Unpacker::unpack_vectors(const ConstImage& input, int y, std::int8_t* to) const {
  const __m512i first = _mm512_loadu_si512(order_.data());
  const __m512i second = _mm512_loadu_si512(order_.data() + vector_bytes);
  const auto channels = static_cast<int>(positions_.size());
  const auto mask = [](int count) { return count >= 64 ? ~0ULL : (1ULL << std::max(count, 0)) - 1; };
  for (int x = 0; x < input.width; x += lanes, to += static_cast<std::ptrdiff_t>(lanes) * channels) {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(x) * group_channels;
    const __m512i low = _mm512_xor_si512(avx512::load(input.row(y, 0) + at), avx512::bytes_of(zero_byte));
    const __m512i high =
        input.groups > 1 ? _mm512_xor_si512(avx512::load(input.row(y, 1) + at), avx512::bytes_of(zero_byte)) : low;
    const int bytes = std::min(lanes, input.width - x) * channels;
    _mm512_mask_storeu_epi8(to, mask(bytes), _mm512_permutex2var_epi8(low, first, high));
    if (bytes <= vector_bytes) continue;
    _mm512_mask_storeu_epi8(to + vector_bytes, mask(bytes - vector_bytes), _mm512_permutex2var_epi8(low, second, high));
  }
}

// `room`: bytes from `to` on that may be written, those of later rows included.
NERONE_AVX2 void Unpacker::unpack_shuffled(const ConstImage& input, int y, std::int8_t* to, std::ptrdiff_t room) const {
  const __m128i index = _mm_loadu_si128(reinterpret_cast<const __m128i*>(order_.data()));
  const __m128i flip = _mm_set1_epi8(static_cast<char>(zero_byte));
  const int groups = *std::max_element(positions_.begin(), positions_.end()) / group_channels + 1;
  const int pixels = shuffled_pixels(groups);
  const auto step = static_cast<std::ptrdiff_t>(pixels) * static_cast<std::ptrdiff_t>(positions_.size());
  const std::uint8_t *first = input.row(y, 0), *second = input.row(y, groups - 1);
  int x = 0;
  for (std::ptrdiff_t done = 0; x + pixels <= input.width && done + shuffled_bytes <= room; x += pixels, done += step) {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(x) * group_channels;
    const __m128i bytes = groups == 1
                              ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(first + at))
                              : _mm_unpacklo_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(first + at)),
                                                   _mm_loadl_epi64(reinterpret_cast<const __m128i*>(second + at)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + done), _mm_shuffle_epi8(_mm_xor_si128(bytes, flip), index));
  }
  unpack_pixels(input, y, x, to);
}

NERONE_AVX2 void Unpacker::unpack_blocks(const ConstImage& input, int y, std::int8_t* to) const {
  constexpr int size = 4;  // of a block, in groups and in pixels
  const __m128i flip = _mm_set1_epi8(static_cast<char>(zero_byte));
  const auto channels = static_cast<std::ptrdiff_t>(positions_.size());
  const auto groups = static_cast<int>(channels / group_channels);
  for (int x = 0; x < input.width; x += size, to += size * channels) {
    const int pixels = std::min(size, input.width - x);
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(x) * group_channels;
    int group = 0;
    for (; group + size <= groups && pixels == size; group += size) {
      avx2::Dwords dwords;
      for (int i = 0; i < size; ++i) {
        const auto* from = reinterpret_cast<const __m128i*>(input.row(y, group + i) + at);
        dwords.rows[i] = _mm_xor_si128(_mm_loadu_si128(from), flip);
      }
      dwords = avx2::transposed(dwords);
      for (int i = 0; i < size; ++i) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i * channels + group * group_channels), dwords.rows[i]);
      }
    }
    for (; group < groups; ++group) {
      for (int i = 0; i < pixels; ++i) {
        std::uint32_t pixel = 0;
        std::memcpy(&pixel, input.row(y, group) + at + i * group_channels, sizeof pixel);
        pixel ^= zero_byte * 0x01010101U;
        std::memcpy(to + i * channels + group * group_channels, &pixel, sizeof pixel);
      }
    }
  }
}

void Unpacker::unpack_pixels(const ConstImage& input, int y, int begin, std::int8_t* to) const {
  const std::size_t channels = positions_.size();
  for (std::size_t c = 0; c < channels; ++c) {
    const std::uint8_t* from = input.row(y, positions_[c] / group_channels) + positions_[c] % group_channels;
    for (int x = begin; x < input.width; ++x) {
      to[static_cast<std::size_t>(x) * channels + c] =
          static_cast<std::int8_t>(from[static_cast<std::ptrdiff_t>(x) * group_channels] ^ zero_byte);
    }
  }
}

void Unpacker::operator()(const ConstImage& input, std::int8_t* output, const Range& rows) const {
  const auto row_bytes = static_cast<std::ptrdiff_t>(input.width) * static_cast<std::ptrdiff_t>(positions_.size());
  const int end = std::min(rows.end, input.height);
  output += rows.begin * row_bytes;
  for (int y = rows.begin; y < end; ++y, output += row_bytes) {
    switch (method_) {
      case Method::vectors:
        unpack_vectors(input, y, output);
        break;
      case Method::shuffled:
        unpack_shuffled(input, y, output, (end - y) * row_bytes);
        break;
      case Method::blocks:
        unpack_blocks(input, y, output);
        break;
      case Method::pixels:
        unpack_pixels(input, y, 0, output);
    }
  }
}

}  // namespace nerone::softdpu::jit
