#pragma once

#include <nerone/tensor.hpp>
#include <string>
#include <vector>

#include "door/port.hpp"

namespace nerone::vart {

using door::Port;

// The port of a model's tensor, of the same size per image. By name; the boards' runners shorten or lengthen names, so
// one may contain the other, and the only port is that of the only tensor (`tensors` counts them) whatever its name.
// ModelError where there is none.
const Port& find_port(const std::vector<Port>& ports, const TensorInfo& tensor, std::size_t tensors,
                      const std::string& subgraph);

}  // namespace nerone::vart
