#include "model/convert.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nerone/error.hpp>
#include <string>

namespace nerone::model {

namespace {

std::string describe(const TensorInfo& tensor, const char* kind) {
  return std::string(kind) + " '" + tensor.name + "'";
}

bool converts(const TensorInfo& tensor) { return tensor.dtype == DType::int8 && tensor.fix_point.has_value(); }

std::int8_t quantize(float value, float scale) {
  if (std::isnan(value)) return 0;
  // In double, because x + 0.5 is not exact in float32.
  const double rounded = std::floor(static_cast<double>(value) * static_cast<double>(scale) + 0.5);
  return static_cast<std::int8_t>(std::clamp(rounded, -128.0, 127.0));
}

}  // namespace

void check_view(const TensorInfo& tensor, const TensorView& view, const char* kind) {
  if (view.dtype != tensor.dtype && !(view.dtype == DType::float32 && converts(tensor))) {
    throw DtypeError(describe(tensor, kind) + " is " + name_of(view.dtype) + ", expected " + name_of(tensor.dtype) +
                     (converts(tensor) ? " or float32" : ""));
  }
  if (view.shape != tensor.shape) {
    throw ShapeError(describe(tensor, kind) + " has shape " + to_string(view.shape) + ", expected " +
                     to_string(tensor.shape));
  }
  if (!view.is_contiguous()) {
    throw ShapeError(describe(tensor, kind) +
                     " is strided, expected a C-contiguous array; pass numpy.ascontiguousarray(it)");
  }
  if (view.data == nullptr) throw ShapeError(describe(tensor, kind) + " has no data");
}

void copy_in(const TensorInfo& tensor, const TensorView& view, void* memory) {
  const auto count = view.element_count();
  if (view.dtype == tensor.dtype) {
    std::memcpy(memory, view.data, static_cast<std::size_t>(count) * size_of(tensor.dtype));
    return;
  }
  const auto* from = static_cast<const float*>(view.data);
  auto* to = static_cast<std::int8_t*>(memory);
  const float scale = std::ldexp(1.0F, *tensor.fix_point);
  for (std::int64_t i = 0; i < count; ++i) to[i] = quantize(from[i], scale);
}

void copy_out(const TensorInfo& tensor, const void* memory, const TensorView& view) {
  const auto count = view.element_count();
  if (view.dtype == tensor.dtype) {
    std::memcpy(view.data, memory, static_cast<std::size_t>(count) * size_of(tensor.dtype));
    return;
  }
  const auto* from = static_cast<const std::int8_t*>(memory);
  auto* to = static_cast<float*>(view.data);
  const float step = std::ldexp(1.0F, -*tensor.fix_point);
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]) * step;
}

}  // namespace nerone::model
