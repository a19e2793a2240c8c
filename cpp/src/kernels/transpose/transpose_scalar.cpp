#include <cstring>

#include "kernels/transpose/transpose.hpp"

namespace nerone::kernels::scalar {

void transpose(const void* columns, std::ptrdiff_t column_stride_bytes, std::size_t item_bytes, std::size_t height,
               std::size_t width, void* out) {
  const auto* from = static_cast<const char*>(columns);
  auto* to = static_cast<char*>(out);
  for (std::size_t x = 0; x < width; ++x) {
    for (std::size_t y = 0; y < height; ++y) {
      std::memcpy(
          to + (y * width + x) * item_bytes,
          from + static_cast<std::ptrdiff_t>(x) * column_stride_bytes + static_cast<std::ptrdiff_t>(y * item_bytes),
          item_bytes);
    }
  }
}

}  // namespace nerone::kernels::scalar
