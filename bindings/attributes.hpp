#pragma once

#include <pybind11/pybind11.h>

#include <nerone/xmodel.hpp>
#include <string>

namespace nerone::bindings {

// Between Python values and XIR's typed attributes; `key` is for messages. UInt64 and Float64 (subclasses of int and
// float) keep the types that Python does not have. ModelError for a value that XIR has no type for.
xmodel::Attr to_attr(const std::string& key, const pybind11::handle& value);
xmodel::Attrs to_attrs(const pybind11::handle& mapping);
pybind11::object from_attr(const xmodel::Attr& attr);
pybind11::dict from_attrs(const xmodel::Attrs& attrs);

// The schema of read_xmodel and write_xmodel.
pybind11::dict from_graph(const xmodel::Graph& graph);

void register_number_types(pybind11::module_& module);

}  // namespace nerone::bindings
