#pragma once

// In which order a register keeps the taps of a transposed convolution's output channel.
//
// A DPU runs a transposed convolution as one ordinary convolution per output phase; each phase meets the taps
// first_y, first_y + stride_h, ... times first_x, first_x + stride_w, .... The taps of a phase stand together, in
// row-major order of its small kernel; phases are ordered by their first tap. With kernel <= stride that is row-major
// order of the whole kernel.

#include <nerone/xmodel.hpp>
#include <vector>

namespace nerone::compiled {

struct KernelShape {
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
};

// For each place in the register the tap ky * kernel_w + kx that stands there, counted as the tensor declares them.
std::vector<int> stored_taps(const KernelShape& shape);

}  // namespace nerone::compiled
