#include "vart/host_buffer.hpp"

#include <nerone/error.hpp>
#include <string>
#include <xir/tensor/tensor.hpp>

namespace nerone::vart {

namespace {

xir::DataType xir_type(DType dtype) {
  switch (dtype) {
    case DType::int8:
    case DType::int16:
    case DType::int32:
    case DType::int64:
      return {xir::DataType::XINT, static_cast<std::int32_t>(8 * size_of(dtype))};
    case DType::uint8:
    case DType::uint16:
      return {xir::DataType::XUINT, static_cast<std::int32_t>(8 * size_of(dtype))};
    case DType::float32:
      return {xir::DataType::FLOAT, 32};
  }
  throw DtypeError("a tensor buffer of unknown dtype");
}

}  // namespace

std::unique_ptr<HostBuffer> HostBuffer::create(const TensorInfo& port, const TensorView& view) {
  if (view.shape != port.shape || !view.is_contiguous()) {
    throw ShapeError("buffer of tensor '" + port.name + "' has shape " + nerone::to_string(view.shape) +
                     (view.is_contiguous() ? "" : " with gaps between its elements") + "; the runner takes dense " +
                     nerone::to_string(port.shape));
  }
  if (view.dtype != port.dtype && view.dtype != DType::float32) {
    throw DtypeError("buffer of tensor '" + port.name + "' is " + name_of(view.dtype) + "; the runner takes " +
                     name_of(port.dtype) + " or float32");
  }
  const std::vector<std::int32_t> shape(view.shape.begin(), view.shape.end());
  auto tensor = xir::Tensor::create(port.name, shape, xir_type(view.dtype));
  if (port.fix_point) tensor->set_attr<std::int32_t>("fix_point", *port.fix_point);
  return std::unique_ptr<HostBuffer>(new HostBuffer(std::move(tensor), view));
}

HostBuffer::HostBuffer(std::unique_ptr<xir::Tensor> tensor, const TensorView& view)
    : ::vart::TensorBuffer(tensor.get()), owned_tensor_(std::move(tensor)), view_(view) {}

HostBuffer::~HostBuffer() = default;

std::pair<std::uint64_t, std::size_t> HostBuffer::data(const std::vector<std::int32_t> index) {
  std::int64_t offset = 0;
  for (std::size_t axis = 0; axis < index.size() && axis < view_.shape.size(); ++axis) {
    if (index[axis] < 0 || index[axis] >= view_.shape[axis]) return {0, 0};
    offset += index[axis] * view_.strides_bytes[axis];
  }
  const auto size_bytes = view_.element_count() * static_cast<std::int64_t>(size_of(view_.dtype));
  return {reinterpret_cast<std::uint64_t>(view_.data) + static_cast<std::uint64_t>(offset),
          static_cast<std::size_t>(size_bytes - offset)};
}

}  // namespace nerone::vart
