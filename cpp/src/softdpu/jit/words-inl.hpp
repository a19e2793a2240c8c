// Included for each instruction set by foreach_vector.hpp. No include guard.

namespace nerone::softdpu::jit::NERONE_VECTORS {

// The bytes of a vector as 16-bit words, in the order in which the instructions that pack bytes again expect them.
struct Words {
  Vector low, high;
};

// R(word / 2^shift), not yet saturated where bytes are packed; for shifts of up to 14 that leave room for the rounding.
NERONE_TARGET inline Vector rounded(Vector words, int shift) {
  if (shift > 0) {
    const Vector half = words_of(static_cast<std::int16_t>(1 << (shift - 1)));
    return right_words(add_words(words, half), shift);
  }
  // Beyond int8 before the shift is beyond int8 after it; a shift by 8 saturates all but 0.
  return left_words(max_words(min_words(words, words_of(127)), words_of(-128)), std::min(-shift, 8));
}

NERONE_TARGET inline Vector bounded(Vector bytes, const ByteBounds& bounds) {
  return min_bytes(max_bytes(bytes, bytes_of(bounds.low)), bytes_of(bounds.high));
}

// The stored bytes of R(act(words / 2^shift)).
NERONE_TARGET inline Vector finished(const Words& words, int shift, const ByteBounds& bounds) {
  const Vector offset = words_of(zero_byte);
  const Vector low = adds_words(rounded(words.low, shift), offset);
  const Vector high = adds_words(rounded(words.high, shift), offset);
  return bounded(bytes_of_words(low, high), bounds);
}

}  // namespace nerone::softdpu::jit::NERONE_VECTORS
