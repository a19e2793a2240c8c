// Included for each instruction set by foreach_vector.hpp. No include guard.

namespace nerone::softdpu::jit::NERONE_VECTORS {

NERONE_TARGET inline Vector zeros() { return bytes_of(zero_byte); }

// Makes zeros of what lies behind the pixels of a row whose vectors were all stored: the pad.
NERONE_TARGET inline void finish_row(std::uint8_t* row, const Image& image) {
  const int rest = image.width % lanes;
  std::ptrdiff_t at = static_cast<std::ptrdiff_t>(image.width / lanes) * vector_bytes;
  if (rest != 0) {
    store_rest(row + at, zeros(), rest);
    at += vector_bytes;
  }
  for (; at < image.group_bytes; at += vector_bytes) store(row + at, zeros());
}

}  // namespace nerone::softdpu::jit::NERONE_VECTORS
