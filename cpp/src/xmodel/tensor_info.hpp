#pragma once

#include <nerone/tensor.hpp>
#include <nerone/xmodel.hpp>

namespace nerone::xmodel {

// What a file says of a tensor. ModelError for a data type that has no DType, and for an empty axis.
TensorInfo info_of(const Tensor& tensor);

}  // namespace nerone::xmodel
