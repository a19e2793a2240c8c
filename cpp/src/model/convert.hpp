#pragma once

#include <nerone/tensor.hpp>

namespace nerone::model {

// ShapeError or DtypeError, saying "input" or "output", where a view is not one that the tensor takes.
void check_view(const TensorInfo& tensor, const TensorView& view, const char* kind);

// From a user's view to a tensor's dense memory, quantizing float32 for int8; and back, dequantizing.
void copy_in(const TensorInfo& tensor, const TensorView& view, void* memory);
void copy_out(const TensorInfo& tensor, const void* memory, const TensorView& view);

}  // namespace nerone::model
