// Included for each instruction set by foreach_vector.hpp. No include guard.

namespace nerone::softdpu::jit::NERONE_VECTORS {
namespace {

// Bit 7 of byte i of the index, bit 6 and so on where an instruction takes bit 7.
struct Index {
  Vector low_bits, bit7, bit6, bit5, bit4;
};

// Of 16 entries, 32, 64, 128.
NERONE_TARGET inline Vector of_16(const std::uint8_t* table, const Index& index) {
  return looked_up(sixteen_bytes(table), index.low_bits);
}
NERONE_TARGET inline Vector of_32(const std::uint8_t* table, const Index& index) {
  return chosen(of_16(table, index), of_16(table + 16, index), index.bit4);
}
NERONE_TARGET inline Vector of_64(const std::uint8_t* table, const Index& index) {
  return chosen(of_32(table, index), of_32(table + 32, index), index.bit5);
}
NERONE_TARGET inline Vector of_128(const std::uint8_t* table, const Index& index) {
  return chosen(of_64(table, index), of_64(table + 64, index), index.bit6);
}

}  // namespace

NERONE_TARGET void look_up(const ConstImage& input, const ByteTable& table, const Image& output, const Range& rows) {
  const std::uint8_t* const bytes = table.bytes.data();
  const Vector low_bits = bytes_of(0x0F);
  for (int y = rows.begin; y < std::min(rows.end, output.height); ++y) {
    for (int group = 0; group < output.groups; ++group) {
      const std::uint8_t* const from = input.row(y, group);
      std::uint8_t* const to = output.row(y, group);
      for (std::ptrdiff_t at = 0; at < std::ptrdiff_t{output.vectors()} * vector_bytes; at += vector_bytes) {
        const Vector x = load(from + at);
        const Index index{and_bytes(x, low_bits), x, left_words(x, 1), left_words(x, 2), left_words(x, 3)};
        store(to + at, chosen(of_128(bytes, index), of_128(bytes + 128, index), index.bit7));
      }
      finish_row(to, output);
    }
  }
}

}  // namespace nerone::softdpu::jit::NERONE_VECTORS
