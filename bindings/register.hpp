#pragma once

#include <pybind11/pybind11.h>

// One function per file of bindings. A binding converts, releases the GIL, and calls one C++ function.
namespace nerone::bindings {

void register_errors();
void register_tensors(pybind11::module_& module);
void register_xmodel(pybind11::module_& module);
void register_isa(pybind11::module_& module);
void register_isa_run(pybind11::module_& module);
void register_model(pybind11::module_& module);
void register_runner(pybind11::module_& module);
void register_preprocess(pybind11::module_& module);
void register_postprocess(pybind11::module_& module);
void register_pipeline(pybind11::module_& module);

}  // namespace nerone::bindings
