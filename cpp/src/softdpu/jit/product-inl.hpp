// Included for each instruction set by foreach_vector.hpp. No include guard.

namespace nerone::softdpu::jit::NERONE_VECTORS {
namespace {

NERONE_TARGET Words unflipped(Vector bytes) {
  const Vector offset = words_of(zero_byte);
  return {sub_words(low_words(bytes), offset), sub_words(high_words(bytes), offset)};
}

NERONE_TARGET Vector product(Vector bytes, const Words& factor, const ProductRule& rule) {
  const Words words = unflipped(bytes);
  return finished({multiply_words(words.low, factor.low), multiply_words(words.high, factor.high)}, rule.shift,
                  rule.bounds);
}

// The first channel of each pixel, as all four.
NERONE_TARGET inline Vector first_channels(Vector bytes) {
  alignas(16) static constexpr std::uint8_t order[] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
  return looked_up(bytes, sixteen_bytes(order));
}

}  // namespace

NERONE_TARGET void multiply(const ConstImage& first, const ConstImage& second, const ProductRule& rule,
                            const Image& output, const Range& rows) {
  const bool is_vector = rule.second == Factor::vector, is_plane = rule.second == Factor::plane;
  for (int y = rows.begin; y < std::min(rows.end, output.height); ++y) {
    for (int group = 0; group < output.groups; ++group) {
      const std::uint8_t *a = first.row(y, group), *b = second.row(is_vector ? 0 : y, is_plane ? 0 : group);
      std::uint8_t* const to = output.row(y, group);
      Words factor = unflipped(every_pixel(b));
      for (std::ptrdiff_t at = 0; at < std::ptrdiff_t{output.vectors()} * vector_bytes; at += vector_bytes) {
        if (!is_vector) factor = unflipped(is_plane ? first_channels(load(b + at)) : load(b + at));
        store(to + at, product(load(a + at), factor, rule));
      }
      finish_row(to, output);
    }
  }
}

}  // namespace nerone::softdpu::jit::NERONE_VECTORS
