#pragma once

// The libxir objects that VART takes and gives beside the graph, made from and read as plain values.

#include <memory>
#include <nerone/tensor.hpp>
#include <nerone/xmodel.hpp>

namespace xir {
class Attrs;
class Tensor;
}  // namespace xir

namespace nerone::xmodel {

// Throws DeviceError where a tensor is none that a runner can have: no axes, an empty axis, or a data type outside
// DType.
TensorInfo describe(const xir::Tensor& tensor);

std::shared_ptr<xir::Tensor> make_tensor(const TensorInfo& info);

// Any Attr but vectors of bool keeps its type.
std::shared_ptr<xir::Attrs> make_attrs(const Attrs& attrs);

}  // namespace nerone::xmodel
