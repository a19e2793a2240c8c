#pragma once

#include <nerone/tensor.hpp>
#include <string>
#include <vector>

namespace nerone::vart {

// One input or output of a runner, in the runner's own memory (contiguous for the device, mapped once).
struct Port {
  TensorInfo info;                 // shape[0] is the runner's batch: how many images one job takes
  std::vector<TensorView> images;  // one per image of the batch, each of shape (1, ...); valid as long as the runner
};

// The port of a model's tensor, of the same size per image. By name; the boards' runners shorten or lengthen names, so
// one may contain the other, and the only port is that of the only tensor (`tensors` counts them) whatever its name.
// ModelError where there is none.
const Port& find_port(const std::vector<Port>& ports, const TensorInfo& tensor, std::size_t tensors,
                      const std::string& subgraph);

}  // namespace nerone::vart
