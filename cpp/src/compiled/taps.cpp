#include "compiled/taps.hpp"

#include <numeric>

namespace nerone::compiled {

namespace {

std::vector<int> counted(int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

// (kernel - 1 - pad - x) modulo stride, which turns a phase into its first tap and back.
int mirrored(int x, int kernel, int stride, int pad) { return ((kernel - 1 - pad - x) % stride + stride) % stride; }

std::vector<int> first_taps_by_output(int kernel, int stride, int pad) {
  std::vector<int> taps;
  for (int phase = 0; phase < stride; ++phase) taps.push_back(mirrored(phase, kernel, stride, pad));
  return taps;
}

}  // namespace

PhaseOrder PhaseOrder::by_first_tap(const TransposedKernel& kernel) {
  return {counted(kernel.stride_h), counted(kernel.stride_w)};
}

PhaseOrder PhaseOrder::by_output(const TransposedKernel& kernel) {
  return {first_taps_by_output(kernel.kernel_h, kernel.stride_h, kernel.pad_top),
          first_taps_by_output(kernel.kernel_w, kernel.stride_w, kernel.pad_left)};
}

int phase_of(int first_tap, int kernel, int stride, int pad) { return mirrored(first_tap, kernel, stride, pad); }

int phase_taps(int first_tap, int kernel, int stride) {
  return first_tap < kernel ? (kernel - first_tap + stride - 1) / stride : 0;
}

std::vector<int> stored_taps(const TransposedKernel& kernel, const PhaseOrder& order) {
  std::vector<int> taps;
  for (const int first_y : order.rows) {
    for (const int first_x : order.columns) {
      for (int ky = first_y; ky < kernel.kernel_h; ky += kernel.stride_h) {
        for (int kx = first_x; kx < kernel.kernel_w; kx += kernel.stride_w) taps.push_back(ky * kernel.kernel_w + kx);
      }
    }
  }
  return taps;
}

}  // namespace nerone::compiled
