#include "softdpu/jit/resample.hpp"

#include <cstring>

#include "softdpu/jit/avx512.hpp"

namespace nerone::softdpu::jit {
namespace {

bool doubles(const std::vector<int>& columns) {
  for (std::size_t x = 0; x < columns.size(); ++x) {
    if (columns[x] != static_cast<int>(x / 2)) return false;
  }
  return true;
}

NERONE_AVX512 void double_row(const std::uint8_t* from, std::uint8_t* to, int vectors) {
  const __m512i low = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(lanes / 2));
  for (int i = 0; i < vectors; ++i, to += vector_bytes) {
    const __m512i pixels = load(from + static_cast<std::ptrdiff_t>(i / 2) * vector_bytes);
    _mm512_store_si512(to, _mm512_permutex2var_epi32(pixels, i % 2 == 0 ? low : high, pixels));
  }
}

void copy_pixels(const std::uint8_t* from, const std::vector<int>& columns, std::uint8_t* to) {
  for (const int column : columns) {
    std::memcpy(to, from + static_cast<std::ptrdiff_t>(column) * group_channels, group_channels);
    to += group_channels;
  }
}

}  // namespace

void resample(const ConstImage& input, const std::vector<int>& rows, const std::vector<int>& columns,
              const Image& output) {
  const bool twice = doubles(columns);
  for (int y = 0; y < output.height; ++y) {
    const int source = rows[static_cast<std::size_t>(y)];
    const bool repeats = y > 0 && source == rows[static_cast<std::size_t>(y - 1)];
    for (int group = 0; group < output.groups; ++group) {
      std::uint8_t* const to = output.row(y, group);
      if (repeats) {
        std::memcpy(to, output.row(y - 1, group), static_cast<std::size_t>(output.group_bytes));
        continue;
      }
      if (twice) {
        double_row(input.row(source, group), to, output.vectors());
      } else {
        copy_pixels(input.row(source, group), columns, to);
      }
      finish_row(to, output);
    }
  }
}

}  // namespace nerone::softdpu::jit
