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

}  // namespace

NERONE_TARGET void multiply(const ConstImage& first, const ConstImage& second, const ProductRule& rule,
                            const Image& output, const Range& rows) {
  const bool is_pixel = second.height == 1 && second.width == 1;
  for (int y = rows.begin; y < std::min(rows.end, output.height); ++y) {
    for (int group = 0; group < output.groups; ++group) {
      const std::uint8_t *a = first.row(y, group), *b = second.row(is_pixel ? 0 : y, group);
      std::uint8_t* const to = output.row(y, group);
      Words factor = unflipped(every_pixel(b));
      for (std::ptrdiff_t at = 0; at < std::ptrdiff_t{output.vectors()} * vector_bytes; at += vector_bytes) {
        if (!is_pixel) factor = unflipped(load(b + at));
        store(to + at, product(load(a + at), factor, rule));
      }
      finish_row(to, output);
    }
  }
}

}  // namespace nerone::softdpu::jit::NERONE_VECTORS
