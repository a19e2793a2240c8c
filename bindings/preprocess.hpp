#pragma once

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <nerone/preprocess.hpp>
#include <optional>

namespace nerone::bindings {

// Steps from what Preprocessing.to_dict() gives; ConfigurationError for anything else.
preprocess::Steps steps_of(const pybind11::handle& declaration);

// An image as Python gives it: one array, or a sequence of arrays, one per channel. The arrays must outlive it.
preprocess::Image image_of(const pybind11::object& image, const pybind11::object& spacing_mm);

// None, or what Statistics.values holds.
std::optional<preprocess::Statistics> statistics_of(const pybind11::object& statistics);

}  // namespace nerone::bindings
