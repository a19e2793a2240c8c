#include "arrays.hpp"

#include <array>
#include <nerone/error.hpp>

#include "register.hpp"

namespace py = pybind11;

namespace nerone::bindings {

namespace {

constexpr std::array dtypes = {DType::int8,  DType::uint8, DType::int16,  DType::uint16,
                               DType::int32, DType::int64, DType::float32};

DType dtype_of(const py::array& array) {
  for (const auto dtype : dtypes) {
    if (array.dtype().equal(py::dtype(name_of(dtype)))) return dtype;
  }
  throw DtypeError("an array of dtype " + std::string(py::str(static_cast<py::object>(array.dtype()))) +
                   ", expected a native int8, uint8, int16, uint16, int32, int64 or float32");
}

}  // namespace

TensorView view_of(const py::array& array) {
  TensorView view{const_cast<void*>(array.data()), dtype_of(array), {}, {}};
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
    view.shape.push_back(array.shape(axis));
    view.strides_bytes.push_back(array.strides(axis));
  }
  return view;
}

TensorView writable_view_of(py::array& array) {
  if (!array.writeable()) throw ShapeError("an output array is read-only, expected a writable one");
  return view_of(array);
}

std::vector<TensorView> views_of(const std::vector<py::array>& arrays) {
  std::vector<TensorView> views;
  for (const auto& array : arrays) views.push_back(view_of(array));
  return views;
}

std::vector<TensorView> writable_views_of(std::vector<py::array>& arrays) {
  std::vector<TensorView> views;
  for (auto& array : arrays) views.push_back(writable_view_of(array));
  return views;
}

py::array array_over(const TensorView& view, const py::object& owner) {
  return py::array(py::dtype(name_of(view.dtype)), view.shape, view.strides_bytes, view.data, owner);
}

void register_tensors(py::module_& module) {
  py::class_<TensorInfo>(module, "TensorInfo", "What a model or a runner says of one input or output.")
      .def_readonly("name", &TensorInfo::name)
      .def_property_readonly("shape", [](const TensorInfo& info) { return py::tuple(py::cast(info.shape)); })
      .def_property_readonly("dtype", [](const TensorInfo& info) { return name_of(info.dtype); })
      .def_readonly("fix_point", &TensorInfo::fix_point);
}

}  // namespace nerone::bindings
