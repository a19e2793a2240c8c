// The raw door to VART for modules with the official Python API: a checked file and runners of its DPU subgraphs.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <memory>
#include <mutex>

#include "arrays.hpp"
#include "attributes.hpp"
#include "compiled/constants.hpp"
#include "door/installation.hpp"
#include "register.hpp"
#include "vart/dpu_runner.hpp"
#include "waiting.hpp"
#include "xmodel/handle.hpp"

namespace py = pybind11;

namespace nerone::bindings {

namespace {

// Python threads may share a runner, which VART's do not allow by themselves.
struct SharedRunner {
  vart::Runner runner;
  std::mutex running;
};

xmodel::Handle load(const std::filesystem::path& path) {
  const ReleaseGil release;
  return xmodel::Handle::load(path);
}

std::unique_ptr<SharedRunner> create(const xmodel::Handle& file, const std::string& subgraph,
                                     const DeviceOptions& options) {
  const ReleaseGil release;
  return std::unique_ptr<SharedRunner>(new SharedRunner{vart::Runner::create(file, subgraph, options), {}});
}

// {op: (bytes, fix point)} in the form that the tensors declare, whatever a register holds.
py::dict constants(const xmodel::Handle& file) {
  std::vector<xmodel::Op> found;
  {
    const ReleaseGil release;
    found = compiled::declared_constants(file);
  }
  py::dict values;
  for (const auto& op : found) {
    const auto& data = std::get<xmodel::Bytes>(op.attrs.at("data"));
    values[py::str(op.name)] = py::make_tuple(py::bytes(data.data(), data.size()), op.output.fix_point());
  }
  return values;
}

std::vector<TensorInfo> infos(const std::vector<vart::Port>& ports) {
  std::vector<TensorInfo> all;
  for (const auto& port : ports) all.push_back(port.info);
  return all;
}

// The runner's own memory, one array per port and image of the batch.
std::vector<std::vector<py::array>> arrays(const std::vector<vart::Port>& ports, const py::object& owner) {
  std::vector<std::vector<py::array>> all;
  for (const auto& port : ports) {
    all.emplace_back();
    for (const auto& image : port.images) all.back().push_back(array_over(image, owner));
  }
  return all;
}

std::uint32_t start(SharedRunner& shared) {
  const ReleaseGil release;
  const std::lock_guard lock(shared.running);
  return shared.runner.start().id;
}

std::uint32_t start_on(SharedRunner& shared, const std::vector<py::array>& inputs, std::vector<py::array> outputs) {
  const auto from = views_of(inputs);
  const auto to = writable_views_of(outputs);
  const ReleaseGil release;
  const std::lock_guard lock(shared.running);
  return shared.runner.start_on(from, to).id;
}

void finish(SharedRunner& shared, std::uint32_t job, int timeout_ms) {
  const ReleaseGil release;
  const std::lock_guard lock(shared.running);
  shared.runner.finish({job}, timeout_ms);
}

}  // namespace

void register_runner(py::module_& module) {
  module.def(
      "vart_installation",
      [] {
        const auto& found = door::installation();
        return std::tuple(found.version, found.folder.string(), found.bundled);
      },
      "Version and folder of the VART that this process uses, and whether it came with NERONE.");
  py::class_<xmodel::Handle>(module, "XmodelFile", "A checked model file that libxir has deserialized.")
      .def(py::init(&load), py::arg("path"))
      .def("graph", [](const xmodel::Handle& file) { return from_graph(file.graph()); })
      .def("constants", &constants, "Constants of the DPU subgraphs as their tensors declare them.");
  py::class_<SharedRunner>(module, "Runner", "A VART runner of one DPU subgraph.")
      .def(py::init(&create), py::arg("file"), py::arg("subgraph"), py::arg("options"))
      .def_property_readonly("inputs", [](const SharedRunner& shared) { return infos(shared.runner.inputs()); })
      .def_property_readonly("outputs", [](const SharedRunner& shared) { return infos(shared.runner.outputs()); })
      .def("input_arrays",
           [](const py::object& self) { return arrays(self.cast<SharedRunner&>().runner.inputs(), self); })
      .def("output_arrays",
           [](const py::object& self) { return arrays(self.cast<SharedRunner&>().runner.outputs(), self); })
      .def("start", &start)
      .def("start_on", &start_on, py::arg("inputs"), py::arg("outputs"))
      .def("finish", &finish, py::arg("job"), py::arg("timeout_ms") = -1);
}

}  // namespace nerone::bindings
