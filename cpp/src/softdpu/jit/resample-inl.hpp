// Included for each instruction set by foreach_vector.hpp. No include guard.

namespace nerone::softdpu::jit::NERONE_VECTORS {
namespace {

NERONE_TARGET void double_row(const std::uint8_t* from, std::uint8_t* to, int vectors) {
  for (int i = 0; i < vectors; ++i, to += vector_bytes) {
    const Vector pixels = load(from + static_cast<std::ptrdiff_t>(i / 2) * vector_bytes);
    store(to, interleaved(pixels, pixels, i % 2));
  }
}

}  // namespace

NERONE_TARGET void resample(const ConstImage& input, const std::vector<int>& rows, const std::vector<int>& columns,
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

}  // namespace nerone::softdpu::jit::NERONE_VECTORS
