#include "compiled/taps.hpp"

namespace nerone::compiled {

std::vector<int> stored_taps(const KernelShape& shape) {
  std::vector<int> taps;
  for (int first_y = 0; first_y < shape.stride_h; ++first_y) {
    for (int first_x = 0; first_x < shape.stride_w; ++first_x) {
      for (int ky = first_y; ky < shape.kernel_h; ky += shape.stride_h) {
        for (int kx = first_x; kx < shape.kernel_w; kx += shape.stride_w) taps.push_back(ky * shape.kernel_w + kx);
      }
    }
  }
  return taps;
}

}  // namespace nerone::compiled
