#pragma once

#include <string>
#include <vector>

namespace xir {
class Subgraph;
class Tensor;
}  // namespace xir

namespace nerone::xmodel {

// The tensors that enter and leave a subgraph, sorted by name. They belong to the graph.
struct Boundary {
  std::vector<const xir::Tensor*> inputs;
  std::vector<const xir::Tensor*> outputs;
};
Boundary boundary_of(const xir::Subgraph* subgraph);

std::string name_of(const xir::Tensor* tensor);

}  // namespace nerone::xmodel
