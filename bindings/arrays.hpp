#pragma once

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <nerone/tensor.hpp>
#include <string>
#include <vector>

namespace nerone::bindings {

// A view of a numpy array as it is: no copy, no conversion. DtypeError for a dtype that no tensor has, or another byte
// order; ShapeError for an array to write that is read-only. The array must outlive the view.
TensorView view_of(const pybind11::array& array);
TensorView writable_view_of(pybind11::array& array);

std::vector<TensorView> views_of(const std::vector<pybind11::array>& arrays);
std::vector<TensorView> writable_views_of(std::vector<pybind11::array>& arrays);

// A numpy array over memory that `owner` keeps alive.
pybind11::array array_over(const TensorView& view, const pybind11::object& owner);

}  // namespace nerone::bindings
