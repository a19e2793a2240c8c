#include "xmodel/device_objects.hpp"

#include <algorithm>
#include <nerone/error.hpp>
#include <xir/attrs/attrs.hpp>
#include <xir/tensor/tensor.hpp>

#include "xmodel/data_type.hpp"

namespace nerone::xmodel {

namespace {

DType dtype_of(const xir::Tensor& tensor) {
  const auto type = tensor.get_data_type();
  // XIR numbers its kinds as files do.
  const auto known = DataType::from_file(static_cast<std::int32_t>(type.type), type.bit_width);
  if (const auto dtype = known ? known->dtype() : std::nullopt) return *dtype;
  throw DeviceError("the runner's tensor '" + tensor.get_name() + "' has data type " + type.to_string() +
                    ", expected an integer of 8 to 64 bits or FLOAT32");
}

xir::DataType xir_type(DType dtype) {
  const auto bits = static_cast<std::int32_t>(8 * size_of(dtype));
  if (dtype == DType::float32) return {xir::DataType::FLOAT, bits};
  const bool is_unsigned = dtype == DType::uint8 || dtype == DType::uint16;
  return {is_unsigned ? xir::DataType::XUINT : xir::DataType::XINT, bits};
}

}  // namespace

TensorInfo describe(const xir::Tensor& tensor) {
  const auto shape = tensor.get_shape();
  if (shape.empty() || std::any_of(shape.begin(), shape.end(), [](auto extent) { return extent <= 0; })) {
    throw DeviceError("the runner's tensor '" + tensor.get_name() + "' has no axes or an empty one");
  }
  TensorInfo info{tensor.get_name(), {shape.begin(), shape.end()}, dtype_of(tensor), std::nullopt};
  if (tensor.has_attr("fix_point")) info.fix_point = tensor.get_attr<std::int32_t>("fix_point");
  return info;
}

std::shared_ptr<xir::Tensor> make_tensor(const TensorInfo& info) {
  const std::vector<std::int32_t> shape(info.shape.begin(), info.shape.end());
  std::shared_ptr<xir::Tensor> tensor = xir::Tensor::create(info.name, shape, xir_type(info.dtype));
  if (info.fix_point) tensor->set_attr<std::int32_t>("fix_point", *info.fix_point);
  return tensor;
}

std::shared_ptr<xir::Attrs> make_attrs(const Attrs& attrs) {
  std::shared_ptr<xir::Attrs> made = xir::Attrs::create();
  for (const auto& [key, value] : attrs) {
    std::visit([&made, &name = key](const auto& typed) { made->set_attr(name, typed); }, value);
  }
  return made;
}

}  // namespace nerone::xmodel
