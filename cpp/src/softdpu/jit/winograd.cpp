#include "softdpu/jit/winograd.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "softdpu/jit/avx2.hpp"

namespace nerone::softdpu::jit {
namespace {

constexpr int kernel = 3, side = 4, elements = side * side;
constexpr int half_columns = 8;  // output pixels along x in half a register of tiles
constexpr int halves_per_pair = 4;
constexpr int register_bytes = 32;
constexpr int scale_bits = 2;  // the sums are four times the convolution's

struct Registers {
  __m256i values[side];

  __m256i& operator[](std::size_t index) { return values[index]; }
  const __m256i& operator[](std::size_t index) const { return values[index]; }
};

// B^T d of four values.
NERONE_AVX2 inline Registers input_rule(const Registers& d) {
  return {{_mm256_sub_epi16(d[0], d[2]), _mm256_add_epi16(d[1], d[2]), _mm256_sub_epi16(d[2], d[1]),
           _mm256_sub_epi16(d[1], d[3])}};
}

// The even or the odd pixels of two halves; the tiles of a register are in this order: 0 1, 4 5, 2 3, 6 7.
template <int first>
NERONE_AVX2 inline __m256i every_other(__m256i a, __m256i b) {
  constexpr int order = first == 0 ? 0b10001000 : 0b11011101;
  return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), order));
}

// V of one group of channels: channels 0 and 2 of each pixel are the words of one register, 1 and 3 of another.
NERONE_AVX2 void transform_group(const std::uint8_t* const* first, const std::uint8_t* const* second,
                                 std::ptrdiff_t offset, std::uint8_t* v, std::ptrdiff_t element_bytes) {
  Registers even[side], odd[side];  // [row][column]
  const __m256i low_bytes = _mm256_set1_epi16(0xFF);
  constexpr std::ptrdiff_t right = 2 * group_channels;
  for (int row = 0; row < side; ++row) {
    const std::uint8_t *a = first[row] + offset, *b = second[row] + offset;
    const __m256i left_a = avx2::load_half(a), left_b = avx2::load_half(b);
    const __m256i right_a = avx2::load_half(a + right), right_b = avx2::load_half(b + right);
    const Registers columns{{every_other<0>(left_a, left_b), every_other<1>(left_a, left_b),
                             every_other<0>(right_a, right_b), every_other<1>(right_a, right_b)}};
    Registers evens, odds;
    for (std::size_t i = 0; i < side; ++i) {
      evens[i] = _mm256_and_si256(columns[i], low_bytes);
      odds[i] = _mm256_srli_epi16(columns[i], 8);
    }
    even[row] = input_rule(evens);
    odd[row] = input_rule(odds);
  }
  constexpr std::ptrdiff_t word = 2 * register_bytes;
  for (std::size_t column = 0; column < side; ++column) {
    const auto evens = input_rule({{even[0][column], even[1][column], even[2][column], even[3][column]}});
    const auto odds = input_rule({{odd[0][column], odd[1][column], odd[2][column], odd[3][column]}});
    for (std::size_t row = 0; row < side; ++row) {
      std::uint8_t* to = v + static_cast<std::ptrdiff_t>(row * side + column) * element_bytes;
      _mm256_store_si256(reinterpret_cast<__m256i*>(to), evens[row]);
      _mm256_store_si256(reinterpret_cast<__m256i*>(to + word), odds[row]);
    }
  }
}

NERONE_AVX2 inline __m256i sum_of(__m256i a, __m256i b, __m256i c) {
  return _mm256_add_epi32(_mm256_add_epi32(a, b), c);
}
NERONE_AVX2 inline __m256i rest_of(__m256i a, __m256i b, __m256i c) {
  return _mm256_sub_epi32(_mm256_sub_epi32(a, b), c);
}

// How sums become bytes.
struct Rule {
  Requantize requantize;
  const std::int32_t* half_bits;  // of the first of four channels
};

// Of one channel.
template <Requantize::Kind kind>
NERONE_AVX2 inline __m256i shifted(__m256i sum, const Rule& rule, int channel) {
  const int shift = rule.requantize.shift;
  if constexpr (kind == Requantize::Kind::right) {
    return _mm256_sra_epi32(sum, _mm_cvtsi32_si128(shift + scale_bits));
  }
  const __m256i limited =
      _mm256_max_epi32(_mm256_min_epi32(_mm256_srai_epi32(sum, scale_bits), _mm256_set1_epi32(1 << (shift + 8))),
                       _mm256_set1_epi32(-(1 << (shift + 11))));
  const __m256i doubled = _mm256_add_epi32(_mm256_slli_epi32(limited, 1), _mm256_set1_epi32(rule.half_bits[channel]));
  const __m256i negative =
      _mm256_sra_epi32(_mm256_add_epi32(_mm256_mullo_epi32(doubled, _mm256_set1_epi32(leaky_numerator)),
                                        _mm256_set1_epi32(1 << (shift + 8))),
                       _mm_cvtsi32_si128(shift + 9));
  const __m256i positive =
      _mm256_sra_epi32(_mm256_add_epi32(doubled, _mm256_set1_epi32(1 << shift)), _mm_cvtsi32_si128(shift + 1));
  return _mm256_blendv_epi8(positive, negative, _mm256_cmpgt_epi32(_mm256_setzero_si256(), doubled));
}

// Four channels of eight tiles as bytes, one dword a tile.
template <Requantize::Kind kind>
NERONE_AVX2 inline __m256i packed(const Registers& sums, const Rule& rule) {
  const __m256i transpose = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9,
                                             13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m256i zero = _mm256_set1_epi8(static_cast<char>(zero_byte));
  const __m256i low = _mm256_packs_epi32(sums[0], sums[1]), high = _mm256_packs_epi32(sums[2], sums[3]);
  __m256i bytes = kind == Requantize::Kind::right ? _mm256_packus_epi16(low, high)
                                                  : _mm256_xor_si256(_mm256_packs_epi16(low, high), zero);
  if (rule.requantize.low > 0) bytes = _mm256_max_epu8(bytes, zero);
  if (rule.requantize.high < 255) {
    bytes = _mm256_min_epu8(bytes, _mm256_set1_epi8(static_cast<char>(rule.requantize.high)));
  }
  return _mm256_shuffle_epi8(bytes, transpose);
}

// Column sums of one output row: A^T M, of one column of M.
template <int row>
NERONE_AVX2 inline __m256i column_sum(const std::uint8_t* m, std::ptrdiff_t row_bytes) {
  const __m256i second = avx2::load_half(m + row_bytes), third = avx2::load_half(m + 2 * row_bytes);
  if constexpr (row == 0) return sum_of(second, third, avx2::load_half(m));
  return rest_of(second, third, avx2::load_half(m + 3 * row_bytes));
}

// One row of four channels and one register of tiles, as eight pixels of each of its two halves.
template <Requantize::Kind kind, int row>
NERONE_AVX2 inline void finish_row(const std::uint8_t* m, const Rule& rule, std::uint8_t* first, std::uint8_t* second) {
  constexpr std::ptrdiff_t channel_bytes = 2 * register_bytes, element_bytes = group_channels * channel_bytes;
  Registers evens, odds;  // by channel
  for (int channel = 0; channel < group_channels; ++channel, m += channel_bytes) {
    Registers columns;
    for (std::size_t i = 0; i < side; ++i) {
      columns[i] = column_sum<row>(m + static_cast<std::ptrdiff_t>(i) * element_bytes, side * element_bytes);
    }
    const auto c = static_cast<std::size_t>(channel);
    evens[c] = shifted<kind>(sum_of(columns[0], columns[1], columns[2]), rule, channel);
    odds[c] = shifted<kind>(rest_of(columns[1], columns[2], columns[3]), rule, channel);
  }
  const __m256i even = packed<kind>(evens, rule), odd = packed<kind>(odds, rule);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(first), _mm256_unpacklo_epi32(even, odd));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(second), _mm256_unpackhi_epi32(even, odd));
}

// Of four channels and one register of tiles; `to` is [half][row].
NERONE_AVX2 void finish_tiles(const std::uint8_t* m, const Rule& rule, std::uint8_t* const* to) {
  if (rule.requantize.kind == Requantize::Kind::right) {
    finish_row<Requantize::Kind::right, 0>(m, rule, to[0], to[2]);
    finish_row<Requantize::Kind::right, 1>(m, rule, to[1], to[3]);
  } else {
    finish_row<Requantize::Kind::leaky, 0>(m, rule, to[0], to[2]);
    finish_row<Requantize::Kind::leaky, 1>(m, rule, to[1], to[3]);
  }
}

NERONE_AVX2 void store_pixels(std::uint8_t* to, const std::uint8_t* from, int pixels) {
  const __m256i behind = avx2::lanes_from(pixels);
  const __m256i bytes = _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
  const __m256i zero = _mm256_set1_epi8(static_cast<char>(zero_byte));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_blendv_epi8(bytes, zero, behind));
}

// (2 G) g (2 G)^T
std::array<int, elements> transformed(const std::array<int, kernel * kernel>& g) {
  constexpr int rule[side][kernel] = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}};
  std::array<int, elements> u{};
  for (int row = 0; row < side; ++row) {
    for (int column = 0; column < side; ++column) {
      for (int i = 0; i < kernel * kernel; ++i) {
        u[static_cast<std::size_t>(row * side + column)] +=
            rule[row][i / kernel] * rule[column][i % kernel] * g[static_cast<std::size_t>(i)];
      }
    }
  }
  return u;
}

int halves_per_row(std::int64_t width) { return divide_up(static_cast<int>(width), half_columns); }

int halves_of(std::int64_t height, std::int64_t width) {
  return divide_up(static_cast<int>(height), 2) * halves_per_row(width);
}

}  // namespace

bool can_use_winograd(const Conv& conv) {
  const auto& window = conv.window;
  const bool is_3x3 = window.kernel_h == kernel && window.kernel_w == kernel && window.stride_h == 1 &&
                      window.stride_w == 1 && window.dilation_h == 1 && window.dilation_w == 1;
  if (!is_3x3 || conv.depthwise || conv.transposed || conv.input.batch != 1) return false;
  const auto requantization = requantization_of(conv);
  if (!requantization || requantization->rule.kind == Requantize::Kind::left) return false;
  std::int64_t most = 0;
  for (const auto bias : requantization->bias) most = std::max<std::int64_t>(most, std::abs(std::int64_t{bias}));
  const std::int64_t scaled = (most + 3 * conv.accumulator_bound()) << scale_bits;
  return scaled <= std::numeric_limits<std::int32_t>::max();
}

// Half cycles, measured.
double winograd_cost(const Conv& conv, int groups) {
  constexpr double products = 19, element = 16, input = 310, output = 600;
  const int pairs = divide_up(halves_of(conv.output.height, conv.output.width), halves_per_pair);
  const int out_groups = divide_up(static_cast<int>(conv.output.channels), group_channels);
  return static_cast<double>(pairs) *
         (groups * input + out_groups * (elements * (groups * products + element) + output));
}

WinogradConv::WinogradConv(const Conv& conv, const Image& input, const Image& output, const ChannelMap& channels)
    : input_(input),
      output_(output),
      pad_top_(conv.window.pad_top),
      pad_left_(conv.window.pad_left),
      height_(static_cast<int>(conv.output.height)),
      width_(static_cast<int>(conv.output.width)),
      groups_(static_cast<int>(channels.size()) / group_channels),
      out_groups_(divide_up(static_cast<int>(conv.output.channels), group_channels)),
      inputs_(conv.input.channels),
      outputs_(conv.output.channels),
      products_(groups_) {
  pack(conv, channels, *requantization_of(conv));
  // More tiles at once where the weights do not stay in the second-level cache.
  constexpr std::size_t cached_weights = 256 << 10;
  constexpr std::ptrdiff_t cached_tiles = 192 << 10;
  const auto fitting = static_cast<int>(cached_tiles / products_.pair_bytes());
  const int pairs = divide_up(halves(), halves_per_pair);
  chunk_pairs_ = weight_bytes() > cached_weights ? std::clamp(fitting, 1, std::min(4, pairs)) : 1;
}

void WinogradConv::pack(const Conv& conv, const ChannelMap& channels, const Requantization& requantization) {
  rule_ = requantization.rule;
  bias_ = requantization.bias;
  half_bits_ = requantization.half_bits;
  const auto filled = static_cast<std::size_t>(out_groups_) * group_channels;
  bias_.resize(filled);
  half_bits_.resize(filled);
  const std::size_t words = static_cast<std::size_t>(groups_) * group_channels * group_channels;  // of an element
  weights_.resize(static_cast<std::size_t>(out_groups_) * elements * words);
  for (int channel = 0; channel < static_cast<int>(outputs_); ++channel) {
    const auto in_group = static_cast<std::size_t>(channel % group_channels);
    std::int16_t* const block = weights_.data() + static_cast<std::size_t>(channel / group_channels) * elements * words;
    for (int position = 0; position < groups_ * group_channels; ++position) {
      std::array<int, kernel * kernel> g{};
      for (int source = 0; source < kernel * kernel; ++source) {
        const int weight = weight_at(conv, {}, channels, {position, source, channel});
        g[static_cast<std::size_t>(source)] = weight;
        bias_[static_cast<std::size_t>(channel)] -= zero_byte * weight;
      }
      const auto u = transformed(g);
      // A register of words has channels 0 and 2, the next one 1 and 3.
      const auto pair = static_cast<std::size_t>(position / group_channels * 2 + position % 2);
      const auto word = static_cast<std::size_t>(position % group_channels / 2);
      for (std::size_t element = 0; element < elements; ++element) {
        block[element * words + (pair * group_channels + in_group) * 2 + word] = static_cast<std::int16_t>(u[element]);
      }
    }
  }
  for (auto& bias : bias_) bias *= 1 << scale_bits;
}

int WinogradConv::halves() const { return halves_of(height_, width_); }

WinogradConv::Half WinogradConv::half_at(int index) const {
  const int per_row = halves_per_row(width_);
  return {index / per_row * 2, index % per_row * half_columns};
}

std::size_t WinogradConv::scratch_bytes() const {
  return static_cast<std::size_t>(chunk_pairs_ * (products_.pair_bytes() + WinogradProducts::sums_bytes()));
}

std::int64_t WinogradConv::macs() const {
  return std::int64_t{divide_up(height_, 2)} * divide_up(width_, 2) * inputs_ * outputs_ * elements;
}

void WinogradConv::transform_inputs(const std::uint8_t* input, int first_pair, int pairs, std::uint8_t* v) const {
  const int last_row = height_ - 1 - pad_top_ + kernel - 1;
  const auto rows_of = [&](int half, const std::uint8_t** rows) {
    const auto at = half_at(std::min(half, halves() - 1));
    for (int i = 0; i < side; ++i) {
      const int y = std::min(at.row - pad_top_ + i, last_row);
      rows[i] = input + y * input_.row_bytes + static_cast<std::ptrdiff_t>(at.column - pad_left_) * group_channels;
    }
  };
  for (int i = 0; i < 2 * pairs; ++i) {
    const std::uint8_t *first[side], *second[side];
    const int half = 2 * (2 * first_pair + i);
    rows_of(half, first);
    rows_of(half + 1, second);
    std::uint8_t* to = v + i / 2 * products_.pair_bytes() + i % 2 * register_bytes;
    constexpr std::ptrdiff_t group_words = 4 * register_bytes;
    for (int group = 0; group < groups_; ++group) {
      transform_group(first, second, group * input_.group_bytes, to + group * group_words, products_.element_bytes());
    }
  }
}

WinogradConv::Half WinogradConv::behind(const Half& half) const {
  const int column = half.column + half_columns;
  return column < width_ ? Half{half.row, column} : Half{half.row + 2, 0};
}

bool WinogradConv::is_whole(const Half& half) const {
  return half.row + 2 <= height_ && half.column + half_columns <= width_;
}

void WinogradConv::transform_sums(const std::uint8_t* m, int first_pair, int pairs, int group,
                                  std::uint8_t* output) const {
  const auto channel = static_cast<std::size_t>(group) * group_channels;
  const Rule rule{rule_, half_bits_.data() + channel};
  auto half = half_at(first_pair * halves_per_pair);
  for (int i = 0; i < 2 * pairs; ++i) {
    alignas(register_bytes) std::uint8_t rows[4 * register_bytes];
    const Half halves[] = {half, behind(half)};
    std::uint8_t* to[4];
    for (int j = 0; j < 4; ++j) {
      const auto& at = halves[j / 2];
      to[j] = is_whole(at) ? pixel(output, at.row + j % 2, at.column, group) : rows + j * register_bytes;
    }
    finish_tiles(m + i / 2 * WinogradProducts::sums_bytes() + i % 2 * register_bytes, rule, to);
    for (int j = 0; j < 2; ++j) {
      if (!is_whole(halves[j])) store_half(halves[j], group, rows + 2 * j * register_bytes, output);
      if (halves[j].column + half_columns >= width_) fill_gap(halves[j], group, output);
    }
    half = behind(halves[1]);
  }
}

std::uint8_t* WinogradConv::pixel(std::uint8_t* output, int row, int column, int group) const {
  return output + row * output_.row_bytes + group * output_.group_bytes +
         static_cast<std::ptrdiff_t>(column) * group_channels;
}

// Nothing of a half below the last row.
void WinogradConv::store_half(const Half& half, int group, const std::uint8_t* rows, std::uint8_t* output) const {
  for (int row = half.row; row < std::min(half.row + 2, height_); ++row, rows += register_bytes) {
    store_pixels(pixel(output, row, half.column, group), rows, width_ - half.column);
  }
}

void WinogradConv::fill_gap(const Half& half, int group, std::uint8_t* output) const {
  const int end = half.column + half_columns;
  for (int row = half.row; row < std::min(half.row + 2, height_); ++row) {
    const auto written = static_cast<std::ptrdiff_t>(end) * group_channels;
    std::memset(pixel(output, row, end, group), zero_byte, static_cast<std::size_t>(output_.group_bytes - written));
  }
}

void WinogradConv::operator()(const std::uint8_t* input, std::uint8_t* output, std::uint8_t* scratch,
                              const Share& share) const {
  std::uint8_t* const m = scratch + chunk_pairs_ * products_.pair_bytes();
  const auto part = share.of(divide_up(halves(), halves_per_pair));
  const auto words = weights_.size() / static_cast<std::size_t>(out_groups_);
  for (int first = part.begin; first < part.end; first += chunk_pairs_) {
    const int pairs = std::min(chunk_pairs_, part.end - first);
    transform_inputs(input, first, pairs, scratch);
    for (int group = 0; group < out_groups_; ++group) {
      products_(scratch, weights_.data() + static_cast<std::size_t>(group) * words,
                bias_.data() + static_cast<std::size_t>(group) * group_channels, m, pairs);
      transform_sums(m, first, pairs, group, output);
    }
  }
}

}  // namespace nerone::softdpu::jit
