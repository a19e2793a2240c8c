#include "softdpu/jit/resample.hpp"

#include <cstring>

namespace nerone::softdpu::jit {
namespace {

bool doubles(const std::vector<int>& columns) {
  for (std::size_t x = 0; x < columns.size(); ++x) {
    if (columns[x] != static_cast<int>(x / 2)) return false;
  }
  return true;
}

void copy_pixels(const std::uint8_t* from, const std::vector<int>& columns, std::uint8_t* to) {
  for (const int column : columns) {
    std::memcpy(to, from + static_cast<std::ptrdiff_t>(column) * group_channels, group_channels);
    to += group_channels;
  }
}

}  // namespace
}  // namespace nerone::softdpu::jit

#define NERONE_VECTOR_KERNELS "softdpu/jit/resample-inl.hpp"
#include "softdpu/jit/foreach_vector.hpp"

namespace nerone::softdpu::jit {

void resample(Isa isa, const ConstImage& input, const std::vector<int>& rows, const std::vector<int>& columns,
              const Image& output) {
  (isa == Isa::avx512_vnni ? avx512::resample : avx2::resample)(input, rows, columns, output);
}

}  // namespace nerone::softdpu::jit
