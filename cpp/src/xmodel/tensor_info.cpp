#include "xmodel/tensor_info.hpp"

#include <algorithm>
#include <nerone/error.hpp>

#include "xmodel/data_type.hpp"

namespace nerone::xmodel {

TensorInfo info_of(const Tensor& tensor) {
  const auto type = DataType::from_name(tensor.data_type);
  const auto dtype = type ? type->dtype() : std::nullopt;
  if (!dtype) {
    throw ModelError("tensor '" + tensor.name + "' has data type " + tensor.data_type +
                     ", expected an integer of 8 to 64 bits or FLOAT32; compile the model for the DPU");
  }
  if (std::any_of(tensor.shape.begin(), tensor.shape.end(), [](auto extent) { return extent <= 0; })) {
    throw ModelError("tensor '" + tensor.name + "' has an empty axis; compile the model again");
  }
  return {tensor.name, {tensor.shape.begin(), tensor.shape.end()}, *dtype, tensor.fix_point()};
}

}  // namespace nerone::xmodel
