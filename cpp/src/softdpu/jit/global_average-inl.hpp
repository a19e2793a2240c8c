// Included for each instruction set by foreach_vector.hpp. No include guard.

namespace nerone::softdpu::jit::NERONE_VECTORS {
namespace {

using ChannelSums = std::array<std::int64_t, group_channels>;

// Adds the words of a sum of bytes to the channels that they belong to.
NERONE_TARGET void add_sums(const Words& words, ChannelSums& sums) {
  alignas(vector_bytes) std::array<std::uint16_t, vector_bytes / 2> values{};
  for (const Vector& half : {words.low, words.high}) {
    store(reinterpret_cast<std::uint8_t*>(values.data()), half);
    for (std::size_t i = 0; i < values.size(); ++i) sums[i % group_channels] += values[i];
  }
}

// Of the stored bytes of whole vectors.
NERONE_TARGET ChannelSums sums_of(const ConstImage& image, int group) {
  constexpr int most_vectors = 0xFFFF / 0xFF;
  ChannelSums sums{};
  Words words{nothing(), nothing()};
  int vectors = 0;
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* from = image.row(y, group);
    for (int i = 0; i < image.vectors(); ++i, from += vector_bytes) {
      const Vector bytes = load(from);
      words = {add_words(words.low, low_words(bytes)), add_words(words.high, high_words(bytes))};
      if (++vectors < most_vectors) continue;
      add_sums(words, sums);
      words = {nothing(), nothing()};
      vectors = 0;
    }
  }
  add_sums(words, sums);
  return sums;
}

}  // namespace

NERONE_TARGET void average(const ConstImage& input, const AverageRule& rule, const Image& output, const Range& groups) {
  const std::int64_t flips = std::int64_t{input.height} * input.vectors() * lanes * zero_byte;
  for (int group = groups.begin; group < groups.end; ++group) {
    const auto sums = sums_of(input, group);
    std::uint8_t* const to = output.row(0, group);
    finish_row(to, output);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      to[i] = byte_of(round_shift((sums[i] - flips) * rule.factor, rule.shift));
    }
  }
}

}  // namespace nerone::softdpu::jit::NERONE_VECTORS
