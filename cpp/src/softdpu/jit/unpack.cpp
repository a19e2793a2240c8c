#include <algorithm>
#include <utility>

#include "softdpu/jit/avx512.hpp"
#include "softdpu/jit/pack.hpp"

namespace nerone::softdpu::jit {

// Two groups are what one permutation reads.
bool Unpacker::fits_one_permutation() const {
  constexpr int max_positions = 2 * group_channels;
  static const bool has_byte_permutation = __builtin_cpu_supports("avx512vbmi") != 0;
  return has_byte_permutation && positions_.size() <= max_positions &&
         *std::max_element(positions_.begin(), positions_.end()) < max_positions;
}

Unpacker::Unpacker(std::vector<int> positions) : positions_(std::move(positions)) {
  if (!fits_one_permutation()) return;
  const std::size_t channels = positions_.size();
  for (std::size_t i = 0; i < channels * lanes; ++i) {
    const auto pixel = static_cast<int>(i / channels);
    const int position = positions_[i % channels];
    order_[i] = static_cast<std::uint8_t>(position / group_channels * vector_bytes + pixel * group_channels +
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
    const __m512i low = _mm512_xor_si512(load(input.row(y, 0) + at), zeros());
    const __m512i high = input.groups > 1 ? _mm512_xor_si512(load(input.row(y, 1) + at), zeros()) : low;
    const int bytes = std::min(lanes, input.width - x) * channels;
    _mm512_mask_storeu_epi8(to, mask(bytes), _mm512_permutex2var_epi8(low, first, high));
    if (bytes <= vector_bytes) continue;
    _mm512_mask_storeu_epi8(to + vector_bytes, mask(bytes - vector_bytes), _mm512_permutex2var_epi8(low, second, high));
  }
}

void Unpacker::unpack_pixels(const ConstImage& input, int y, std::int8_t* to) const {
  const std::size_t channels = positions_.size();
  for (std::size_t c = 0; c < channels; ++c) {
    const std::uint8_t* from = input.row(y, positions_[c] / group_channels) + positions_[c] % group_channels;
    for (int x = 0; x < input.width; ++x) {
      to[static_cast<std::size_t>(x) * channels + c] =
          static_cast<std::int8_t>(from[static_cast<std::ptrdiff_t>(x) * group_channels] ^ zero_byte);
    }
  }
}

void Unpacker::operator()(const ConstImage& input, std::int8_t* output) const {
  const bool vectors = fits_one_permutation();
  const std::size_t row_bytes = static_cast<std::size_t>(input.width) * positions_.size();
  for (int y = 0; y < input.height; ++y, output += row_bytes) {
    if (vectors) {
      unpack_vectors(input, y, output);
    } else {
      unpack_pixels(input, y, output);
    }
  }
}

}  // namespace nerone::softdpu::jit
