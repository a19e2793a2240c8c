#include "xmodel/boundary.hpp"

#include <algorithm>
#include <xir/graph/subgraph.hpp>
#include <xir/op/op.hpp>
#include <xir/tensor/tensor.hpp>

namespace nerone::xmodel {

namespace {

template <typename Tensors>
std::vector<const xir::Tensor*> sorted(const Tensors& tensors) {
  std::vector<const xir::Tensor*> result;
  for (const auto* tensor : tensors) {
    // A constant that only this subgraph reads may live outside it; it is no input of a runner.
    if (tensor->get_producer()->get_type().rfind("const", 0) != 0) result.push_back(tensor);
  }
  std::sort(result.begin(), result.end(), [](const auto* a, const auto* b) { return a->get_name() < b->get_name(); });
  return result;
}

}  // namespace

Boundary boundary_of(const xir::Subgraph* subgraph) {
  return {sorted(subgraph->get_input_tensors()), sorted(subgraph->get_output_tensors())};
}

std::string name_of(const xir::Tensor* tensor) { return tensor->get_name(); }

}  // namespace nerone::xmodel
