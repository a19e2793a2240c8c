// Included for each instruction set by foreach_vector.hpp. No include guard.

namespace nerone::softdpu::jit::NERONE_VECTORS {
namespace {

NERONE_TARGET void double_row(const std::uint8_t* from, std::uint8_t* to, int vectors) {
  for (int i = 0; i < vectors; ++i, to += vector_bytes) {
    const Vector pixels = load(from + static_cast<std::ptrdiff_t>(i / 2) * vector_bytes);
    store(to, interleaved(pixels, pixels, i % 2));
  }
}

NERONE_TARGET void halve_row(const std::uint8_t* from, std::uint8_t* to, int vectors) {
  for (int i = 0; i < vectors; ++i, from += 2 * vector_bytes, to += vector_bytes) {
    store(to, every_other(load(from), load(from + vector_bytes), 0));
  }
}

}  // namespace

NERONE_TARGET void resample(const ConstImage& input, const std::vector<int>& rows, const std::vector<int>& columns,
                            const Image& output, std::uint8_t fill, const Range& output_rows) {
  const bool twice = doubles(columns), half = halves(columns);
  for (int y = output_rows.begin; y < std::min(output_rows.end, output.height); ++y) {
    const int source = rows[static_cast<std::size_t>(y)];
    const bool repeats = y > output_rows.begin && source == rows[static_cast<std::size_t>(y - 1)];
    for (int group = 0; group < output.groups; ++group) {
      std::uint8_t* const to = output.row(y, group);
      if (repeats) {
        std::memcpy(to, output.row(y - 1, group), static_cast<std::size_t>(output.group_bytes));
        continue;
      }
      if (source < 0) {
        std::memset(to, fill, static_cast<std::size_t>(output.width) * group_channels);
      } else if (twice) {
        double_row(input.row(source, group), to, output.vectors());
      } else if (half) {
        halve_row(input.row(source, group), to, output.vectors());
      } else {
        copy_pixels(input.row(source, group), columns, to, fill);
      }
      finish_row(to, output);
    }
  }
}

}  // namespace nerone::softdpu::jit::NERONE_VECTORS
