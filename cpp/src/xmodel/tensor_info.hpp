#pragma once

#include <nerone/tensor.hpp>
#include <nerone/xmodel.hpp>

namespace nerone::xmodel {

// A tensor as its file describes it. ModelError for a data type that has no DType, and for an empty axis.
TensorInfo info_of(const Tensor& tensor);

}  // namespace nerone::xmodel
