#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <nerone/model.hpp>

#include "arrays.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace nerone::bindings {

namespace {

Model load(const std::filesystem::path& path, const DeviceOptions& options, bool until_dpu) {
  py::gil_scoped_release release;
  return Model::load(path, options, until_dpu ? Until::first_dpu : Until::end);
}

void run(Model& model, const std::vector<py::array>& inputs, std::vector<py::array> outputs, int timeout_ms) {
  const auto from = views_of(inputs);
  const auto to = writable_views_of(outputs);
  py::gil_scoped_release release;
  model.run(from, to, timeout_ms);
}

void register_options(py::module_& module) {
  const DeviceOptions defaults;
  py::class_<DeviceOptions>(module, "DeviceOptions", "What stands behind VART, and how a software device behaves.")
      .def(py::init([](std::string device, std::string kernels, int cores, int job_latency_us, bool compute) {
             return DeviceOptions{std::move(device), std::move(kernels), cores, job_latency_us, compute};
           }),
           py::arg("device") = defaults.device, py::arg("kernels") = defaults.kernels,
           py::arg("cores") = defaults.cores, py::arg("job_latency_us") = defaults.job_latency_us,
           py::arg("compute") = defaults.compute)
      .def_readonly("device", &DeviceOptions::device)
      .def_readonly("kernels", &DeviceOptions::kernels)
      .def_readonly("cores", &DeviceOptions::cores)
      .def_readonly("job_latency_us", &DeviceOptions::job_latency_us)
      .def_readonly("compute", &DeviceOptions::compute);
  module.def("simd_target", &simd_target, "The vector instructions that the kernels take on this processor.");
}

}  // namespace

void register_model(py::module_& module) {
  register_options(module);
  py::class_<SubgraphInfo>(module, "SubgraphInfo", "One subgraph of a compiled model.")
      .def_readonly("name", &SubgraphInfo::name)
      .def_readonly("device", &SubgraphInfo::device)
      .def_readonly("ops", &SubgraphInfo::ops);
  py::class_<Model>(module, "Model", "A compiled model and its runners.")
      .def(py::init(&load), py::arg("path"), py::arg("options"), py::arg("until_dpu") = false)
      .def_property_readonly("inputs", &Model::inputs)
      .def_property_readonly("outputs", &Model::outputs)
      .def_property_readonly("subgraphs", &Model::subgraphs)
      .def("run", &run, py::arg("inputs"), py::arg("outputs"), py::arg("timeout_ms") = -1);
}

}  // namespace nerone::bindings
