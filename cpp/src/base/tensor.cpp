#include <nerone/tensor.hpp>

namespace nerone {

std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::int8:
    case DType::uint8:
      return 1;
    case DType::int16:
    case DType::uint16:
      return 2;
    case DType::int32:
    case DType::float32:
      return 4;
    case DType::int64:
      return 8;
  }
  return 0;
}

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::int8:
      return "int8";
    case DType::uint8:
      return "uint8";
    case DType::int16:
      return "int16";
    case DType::uint16:
      return "uint16";
    case DType::int32:
      return "int32";
    case DType::int64:
      return "int64";
    case DType::float32:
      return "float32";
  }
  return "unknown";
}

namespace {

std::vector<std::int64_t> dense_strides(const std::vector<std::int64_t>& shape, std::size_t item) {
  std::vector<std::int64_t> strides(shape.size());
  auto step = static_cast<std::int64_t>(item);
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}

}  // namespace

std::int64_t element_count(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const auto extent : shape) count *= extent;
  return count;
}

std::int64_t size_bytes(const TensorInfo& tensor) {
  return element_count(tensor.shape) * static_cast<std::int64_t>(size_of(tensor.dtype));
}

TensorView TensorView::contiguous(void* data, DType dtype, std::vector<std::int64_t> shape) {
  TensorView view{data, dtype, std::move(shape), {}};
  view.strides_bytes = dense_strides(view.shape, size_of(dtype));
  return view;
}

bool TensorView::is_contiguous() const {
  const auto dense = dense_strides(shape, size_of(dtype));
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] > 1 && strides_bytes[axis] != dense[axis]) return false;
  }
  return true;
}

std::int64_t TensorView::element_count() const { return nerone::element_count(shape); }

std::string to_string(const std::vector<std::int64_t>& shape) {
  std::string text = "(";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(shape[axis]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace nerone
