#include "softdpu/jit/max_pool.hpp"

#include <algorithm>
#include <cstring>

namespace nerone::softdpu::jit {
namespace {

// The window's part that lies inside the image.
Range clip(int start, int kernel, int extent) { return {std::max(start, 0), std::min(start + kernel, extent)}; }

// Output pixels whose windows lie inside the image along x.
Range inner_columns(const ConstImage& input, const Image& output, const Window& window) {
  const int first = divide_up(window.pad_left, window.stride_w);
  const int last = (input.width - window.kernel_w + window.pad_left) / window.stride_w;
  const bool fits = input.width >= window.kernel_w;
  return {std::min(first, output.width), fits ? std::clamp(last + 1, 0, output.width) : 0};
}

}  // namespace
}  // namespace nerone::softdpu::jit

#define NERONE_VECTOR_KERNELS "softdpu/jit/max_pool-inl.hpp"
#include "softdpu/jit/foreach_vector.hpp"

namespace nerone::softdpu::jit {

void max_pool(Isa isa, const ConstImage& input, const Image& output, const Window& window, const Range& rows) {
  (isa == Isa::avx512_vnni ? avx512::max_pool : avx2::max_pool)(input, output, window, rows);
}

}  // namespace nerone::softdpu::jit
