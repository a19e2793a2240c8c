// Included for each instruction set by foreach_vector.hpp. No include guard.

namespace nerone::softdpu::jit::NERONE_VECTORS {
namespace {

// Of 16 small pixels: what belongs to even and to odd columns.
struct Pair {
  Vector even, odd;
};

NERONE_TARGET Pair operator+(const Pair& a, const Pair& b) {
  return {add_dwords(a.even, b.even), add_dwords(a.odd, b.odd)};
}

NERONE_TARGET Pair load_pair(const std::uint8_t* from) { return {load(from), load(from + vector_bytes)}; }

NERONE_TARGET void store_pair(std::uint8_t* to, const Pair& pair) {
  store(to, pair.even);
  store(to + vector_bytes, pair.odd);
}

NERONE_TARGET void store_interleaved(std::uint8_t* to, const Pair& pair) {
  store_pair(to, {interleaved(pair.even, pair.odd, 0), interleaved(pair.even, pair.odd, 1)});
}

// Along x, of the three planes of a kernel row.
NERONE_TARGET Pair sum_columns(const std::uint8_t* planes, std::ptrdiff_t stride) {
  const std::uint8_t *const middle = planes + stride, *const right = middle + stride;
  constexpr std::ptrdiff_t pixel = sizeof(std::int32_t);
  const Vector centre = load(middle);
  return {add_dwords(add_dwords(load(planes - pixel), centre), load(right)),
          add_dwords(add_dwords(load(planes), centre), load(right + pixel))};
}

}  // namespace

NERONE_TARGET void add_row(const PlaneRow& row, std::uint8_t* carried, std::uint8_t* odd, std::uint8_t* even) {
  const std::ptrdiff_t stride = row.stride;
  for (int channel = 0; channel < row.channels; ++channel) {
    const std::uint8_t* from = row.planes + channel * planes_per_channel * stride + vector_bytes;
    std::ptrdiff_t to = channel * row.sums_stride;
    for (int i = 0; i < row.vectors; ++i, from += vector_bytes, to += 2 * vector_bytes, carried += carried_stride) {
      const Pair top = sum_columns(from, stride), middle = sum_columns(from + 3 * stride, stride),
                 bottom = sum_columns(from + 6 * stride, stride);
      const Pair top_before = load_pair(carried), upper_before = load_pair(carried + 2 * vector_bytes);
      store_pair(carried, top);
      store_pair(carried + 2 * vector_bytes, top + middle);
      if (odd != nullptr) store_interleaved(odd + to, upper_before + bottom);
      store_interleaved(even + to, top_before + (middle + bottom));
    }
  }
}

NERONE_TARGET void finish_rows(const std::uint8_t* carried, std::uint8_t* odd, int vectors) {
  for (int i = 0; i < vectors; ++i, carried += carried_stride, odd += 2 * vector_bytes) {
    store_interleaved(odd, load_pair(carried + 2 * vector_bytes));
  }
}

}  // namespace nerone::softdpu::jit::NERONE_VECTORS
