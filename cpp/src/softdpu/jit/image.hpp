#pragma once

#include <cstddef>
#include <cstdint>

#include "softdpu/jit/layout.hpp"

namespace nerone::softdpu::jit {

// Some groups of a packed buffer: does not own. Rows begin at multiples of vector_bytes.
template <typename Byte>
struct BasicImage {
  Byte* data = nullptr;  // pixel 0 of row 0 of the first group
  int height = 0, width = 0, groups = 0;
  std::ptrdiff_t row_bytes = 0, group_bytes = 0;

  Byte* row(int y, int group) const { return data + y * row_bytes + group * group_bytes; }
  int vectors() const { return divide_up(width, lanes); }
};

using Image = BasicImage<std::uint8_t>;
using ConstImage = BasicImage<const std::uint8_t>;

}  // namespace nerone::softdpu::jit
