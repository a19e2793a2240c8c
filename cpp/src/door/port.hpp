#pragma once

#include <nerone/tensor.hpp>
#include <vector>

namespace nerone::door {

// One input or output of a runner, in the runner's own memory (contiguous for the device, mapped once).
struct Port {
  TensorInfo info;                 // shape[0] is the runner's batch: how many images one job takes
  std::vector<TensorView> images;  // one per image of the batch, each of shape (1, ...); valid as long as the runner
};

}  // namespace nerone::door
