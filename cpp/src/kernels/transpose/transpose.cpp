#include "kernels/transpose/transpose.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/transpose/transpose.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nerone::kernels::HWY_NAMESPACE {

// One interleaving of rows r and r + 4 for each r, three times, transposes eight rows of eight.
template <class D, class V>
HWY_INLINE void interleave_eight(D d, const V (&in)[8], V (&out)[8]) {
  for (std::size_t r = 0; r < 4; ++r) {
    out[2 * r] = hn::InterleaveLower(d, in[r], in[r + 4]);
    out[2 * r + 1] = hn::InterleaveUpper(d, in[r], in[r + 4]);
  }
}

template <class D>
HWY_INLINE void tile_16bit(D d, const char* from, std::ptrdiff_t stride, std::uint16_t* to, std::size_t width) {
  hn::Vec<D> a[8];
  hn::Vec<D> b[8];
  for (std::ptrdiff_t x = 0; x < 8; ++x) a[x] = hn::LoadU(d, reinterpret_cast<const std::uint16_t*>(from + x * stride));
  interleave_eight(d, a, b);
  interleave_eight(d, b, a);
  interleave_eight(d, a, b);
  for (std::size_t y = 0; y < 8; ++y) hn::StoreU(b[y], d, to + y * width);
}

template <class D>
HWY_INLINE void tile_32bit(D d, const char* from, std::ptrdiff_t stride, std::uint32_t* to, std::size_t width) {
  hn::Vec<D> a[4];
  for (std::ptrdiff_t x = 0; x < 4; ++x) a[x] = hn::LoadU(d, reinterpret_cast<const std::uint32_t*>(from + x * stride));
  const auto b0 = hn::InterleaveLower(d, a[0], a[2]);
  const auto b1 = hn::InterleaveUpper(d, a[0], a[2]);
  const auto b2 = hn::InterleaveLower(d, a[1], a[3]);
  const auto b3 = hn::InterleaveUpper(d, a[1], a[3]);
  hn::StoreU(hn::InterleaveLower(d, b0, b2), d, to);
  hn::StoreU(hn::InterleaveUpper(d, b0, b2), d, to + width);
  hn::StoreU(hn::InterleaveLower(d, b1, b3), d, to + 2 * width);
  hn::StoreU(hn::InterleaveUpper(d, b1, b3), d, to + 3 * width);
}

// Whole tiles by `tile`, what is left over item by item.
template <typename T, std::size_t Side, typename Tile>
void tiled(const char* from, std::ptrdiff_t stride, std::size_t height, std::size_t width, T* to, Tile&& tile) {
  const std::size_t whole_height = height / Side * Side;
  const std::size_t whole_width = width / Side * Side;
  for (std::size_t y = 0; y < whole_height; y += Side) {
    for (std::size_t x = 0; x < whole_width; x += Side) {
      tile(from + static_cast<std::ptrdiff_t>(x) * stride + static_cast<std::ptrdiff_t>(y * sizeof(T)),
           to + y * width + x);
    }
  }
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = y < whole_height ? whole_width : 0; x < width; ++x) {
      std::memcpy(to + y * width + x,
                  from + static_cast<std::ptrdiff_t>(x) * stride + static_cast<std::ptrdiff_t>(y * sizeof(T)),
                  sizeof(T));
    }
  }
}

void turn(const void* columns, std::ptrdiff_t stride, std::size_t item_bytes, std::size_t height, std::size_t width,
          void* out) {
  const auto* from = static_cast<const char*>(columns);
  if (item_bytes == 2) {
    const hn::CappedTag<std::uint16_t, 8> d;
    tiled<std::uint16_t, 8>(from, stride, height, width, static_cast<std::uint16_t*>(out),
                            [&](const char* at, std::uint16_t* to)
                                NERONE_INLINE { tile_16bit(d, at, stride, to, width); });
  } else if (item_bytes == 4) {
    const hn::CappedTag<std::uint32_t, 4> d;
    tiled<std::uint32_t, 4>(from, stride, height, width, static_cast<std::uint32_t*>(out),
                            [&](const char* at, std::uint32_t* to)
                                NERONE_INLINE { tile_32bit(d, at, stride, to, width); });
  } else {
    tiled<std::uint8_t, 16>(from, stride, height, width, static_cast<std::uint8_t*>(out),
                            [&](const char* at, std::uint8_t* to) NERONE_INLINE {
                              for (std::size_t y = 0; y < 16; ++y) {
                                for (std::ptrdiff_t x = 0; x < 16; ++x) {
                                  to[y * width + static_cast<std::size_t>(x)] =
                                      static_cast<std::uint8_t>(at[x * stride + static_cast<std::ptrdiff_t>(y)]);
                                }
                              }
                            });
  }
}

}  // namespace nerone::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nerone::kernels {

HWY_EXPORT(turn);

void transpose(const void* columns, std::ptrdiff_t column_stride_bytes, std::size_t item_bytes, std::size_t height,
               std::size_t width, void* out) {
  HWY_DYNAMIC_DISPATCH(turn)(columns, column_stride_bytes, item_bytes, height, width, out);
}

}  // namespace nerone::kernels
#endif
