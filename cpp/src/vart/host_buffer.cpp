#include "vart/host_buffer.hpp"

#include <nerone/error.hpp>
#include <string>

#include "xmodel/device_objects.hpp"

namespace nerone::vart {

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
  auto tensor = xmodel::make_tensor({port.name, view.shape, view.dtype, port.fix_point});
  return std::unique_ptr<HostBuffer>(new HostBuffer(std::move(tensor), view));
}

HostBuffer::HostBuffer(std::shared_ptr<xir::Tensor> tensor, const TensorView& view)
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
