#pragma once

// In which order a register keeps the taps of a transposed convolution's output channel.
//
// A DPU runs a transposed convolution as one ordinary convolution per output phase; each phase meets the taps
// first_y, first_y + stride_h, ... times first_x, first_x + stride_w, .... The taps of a phase stand together, in
// row-major order of its small kernel. In every file seen the phases are ordered by their first tap, so that with
// kernel <= stride the taps stand in row-major order of the whole kernel.

#include <nerone/xmodel.hpp>
#include <vector>

namespace nerone::compiled {

struct TransposedKernel {
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int pad_top = 0, pad_left = 0;
};

// The phases' first taps along both axes, in the order in which their taps stand in the register.
struct PhaseOrder {
  std::vector<int> rows, columns;

  static PhaseOrder by_first_tap(const TransposedKernel& kernel);
  static PhaseOrder by_output(const TransposedKernel& kernel);
};

// The output row of a phase below its first one, 0 to stride - 1; likewise the column.
int phase_of(int first_tap, int kernel, int stride, int pad);

// How many taps a phase has along one axis.
int phase_taps(int first_tap, int kernel, int stride);

// For each place in the register the tap ky * kernel_w + kx that stands there, counted as the tensor declares them.
std::vector<int> stored_taps(const TransposedKernel& kernel, const PhaseOrder& order);

}  // namespace nerone::compiled
