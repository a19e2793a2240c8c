#pragma once

// Which values of a plan are never negative, whatever the input: those behind a ReLU, as far as pools, upsamplings and
// sums carry them.

#include <vector>

#include "softdpu/jit/graph.hpp"

namespace nerone::softdpu::jit {

class NeverNegative {
 public:
  explicit NeverNegative(const TensorGraph& graph);

  // Of each channel group of a packed tensor.
  std::vector<bool> of(int tensor) const;

 private:
  std::vector<bool>::iterator begin_of(int tensor);
  std::vector<bool>::const_iterator begin_of(int tensor) const;

  const TensorGraph& graph_;
  std::vector<std::vector<bool>> by_root_;  // of each group of a buffer
};

}  // namespace nerone::softdpu::jit
