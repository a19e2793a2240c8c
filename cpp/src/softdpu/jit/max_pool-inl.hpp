// Included for each instruction set by foreach_vector.hpp. No include guard.

namespace nerone::softdpu::jit::NERONE_VECTORS {
namespace {

NERONE_TARGET void pool_pixel(const ConstImage& input, int group, Range rows, Range columns, std::uint8_t* to) {
  __m128i most = _mm_setzero_si128();
  for (int y = rows.begin; y < rows.end; ++y) {
    const std::uint8_t* row = input.row(y, group);
    for (int x = columns.begin; x < columns.end; ++x) {
      std::int32_t pixel = 0;
      std::memcpy(&pixel, row + static_cast<std::ptrdiff_t>(x) * group_channels, sizeof pixel);
      most = _mm_max_epu8(most, _mm_cvtsi32_si128(pixel));
    }
  }
  const std::int32_t pixel = _mm_cvtsi128_si32(most);
  std::memcpy(to, &pixel, sizeof pixel);
}

// Sixteen output pixels whose windows start at `from`.
NERONE_TARGET Vector pool_vector(const std::uint8_t* from, std::ptrdiff_t row_bytes, int rows, const Window& window) {
  Vector most = nothing();
  for (int y = 0; y < rows; ++y, from += row_bytes) {
    for (int x = 0; x < window.kernel_w; ++x) {
      const std::uint8_t* at = from + static_cast<std::ptrdiff_t>(x) * group_channels;
      const Vector pixels = window.stride_w == 1 ? load(at) : every_other(load(at), load(at + vector_bytes), 0);
      most = max_bytes(most, pixels);
    }
  }
  return most;
}

NERONE_TARGET Vector pool_2x2(const std::uint8_t* from, std::ptrdiff_t row_bytes) {
  const Vector low = max_bytes(load(from), load(from + row_bytes));
  const Vector high = max_bytes(load(from + vector_bytes), load(from + row_bytes + vector_bytes));
  return max_bytes(every_other(low, high, 0), every_other(low, high, 1));
}

struct RowJob {
  const ConstImage& input;
  const Image& output;
  const Window& window;
  int group = 0, y = 0;
  Range rows;

  int start(int x) const { return x * window.stride_w - window.pad_left; }
  void pool_pixels(Range columns) const {
    std::uint8_t* const to = output.row(y, group);
    for (int x = columns.begin; x < columns.end; ++x) {
      pool_pixel(input, group, rows, clip(start(x), window.kernel_w, input.width),
                 to + static_cast<std::ptrdiff_t>(x) * group_channels);
    }
  }
};

NERONE_TARGET void pool_vectors(const RowJob& job, Range columns) {
  const bool halves = job.window.kernel_w == 2 && job.window.stride_w == 2 && job.rows.end - job.rows.begin == 2;
  std::uint8_t* const to = job.output.row(job.y, job.group);
  for (int x = columns.begin; x < columns.end; x += lanes) {
    const std::uint8_t* from =
        job.input.row(job.rows.begin, job.group) + static_cast<std::ptrdiff_t>(job.start(x)) * group_channels;
    const Vector pixels = halves ? pool_2x2(from, job.input.row_bytes)
                                 : pool_vector(from, job.input.row_bytes, job.rows.end - job.rows.begin, job.window);
    const int count = std::min(lanes, columns.end - x);
    store_first(to + static_cast<std::ptrdiff_t>(x) * group_channels, pixels, count);
  }
}

}  // namespace

NERONE_TARGET void max_pool(const ConstImage& input, const Image& output, const Window& window,
                            const Range& output_rows) {
  constexpr int max_vector_stride = 2;
  auto inner = inner_columns(input, output, window);
  if (window.stride_w > max_vector_stride || inner.end < inner.begin) inner.end = inner.begin;
  for (int y = output_rows.begin; y < std::min(output_rows.end, output.height); ++y) {
    const auto rows = clip(y * window.stride_h - window.pad_top, window.kernel_h, input.height);
    for (int group = 0; group < output.groups; ++group) {
      const RowJob job{input, output, window, group, y, rows};
      job.pool_pixels({0, inner.begin});
      pool_vectors(job, inner);
      job.pool_pixels({inner.end, output.width});
      finish_row(output.row(y, group), output);
    }
  }
}

}  // namespace nerone::softdpu::jit::NERONE_VECTORS
