#include "softdpu/jit/resample.hpp"

#include <algorithm>
#include <cstring>

namespace nerone::softdpu::jit {
namespace {

bool doubles(const std::vector<int>& columns) {
  for (std::size_t x = 0; x < columns.size(); ++x) {
    if (columns[x] != static_cast<int>(x / 2)) return false;
  }
  return true;
}

bool halves(const std::vector<int>& columns) {
  for (std::size_t x = 0; x < columns.size(); ++x) {
    if (columns[x] != static_cast<int>(2 * x)) return false;
  }
  return true;
}

// Pixels that lie side by side in both rows are copied together.
void copy_pixels(const std::uint8_t* from, const std::vector<int>& columns, std::uint8_t* to, std::uint8_t fill) {
  for (std::size_t x = 0; x < columns.size();) {
    std::size_t end = x + 1;
    while (columns[x] >= 0 && end < columns.size() && columns[end] == columns[end - 1] + 1) ++end;
    const std::size_t bytes = (end - x) * group_channels;
    if (columns[x] < 0) {
      std::memset(to, fill, bytes);
    } else {
      std::memcpy(to, from + static_cast<std::ptrdiff_t>(columns[x]) * group_channels, bytes);
    }
    to += bytes;
    x = end;
  }
}

}  // namespace
}  // namespace nerone::softdpu::jit

#define NERONE_VECTOR_KERNELS "softdpu/jit/resample-inl.hpp"
#include "softdpu/jit/foreach_vector.hpp"

namespace nerone::softdpu::jit {

void resample(Isa isa, const ConstImage& input, const std::vector<int>& rows, const std::vector<int>& columns,
              const Image& output, std::uint8_t fill, const Range& output_rows) {
  (isa == Isa::avx512_vnni ? avx512::resample : avx2::resample)(input, rows, columns, output, fill, output_rows);
}

}  // namespace nerone::softdpu::jit
