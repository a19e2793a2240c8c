#pragma once

#include <cstddef>

namespace nerone::kernels {

// out[y * width + x] = column x's element y: for images whose columns are contiguous (Fortran order, as NIfTI readers
// give). `columns` is `width` runs of `height` items of `item_bytes` (1, 2 or 4), `column_stride_bytes` apart (may be
// negative).
void transpose(const void* columns, std::ptrdiff_t column_stride_bytes, std::size_t item_bytes, std::size_t height,
               std::size_t width, void* out);

namespace scalar {
void transpose(const void* columns, std::ptrdiff_t column_stride_bytes, std::size_t item_bytes, std::size_t height,
               std::size_t width, void* out);
}  // namespace scalar

}  // namespace nerone::kernels
