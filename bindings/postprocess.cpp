#include "postprocess.hpp"

#include <nerone/error.hpp>
#include <nerone/postprocess.hpp>

#include "arrays.hpp"
#include "register.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace nerone::bindings {

postprocess::Kind kind_of(const std::string& name) {
  using postprocess::Kind;
  if (name == "classes") return Kind::classes;
  if (name == "probabilities") return Kind::probabilities;
  if (name == "real") return Kind::real;
  if (name == "raw") return Kind::raw;
  throw ConfigurationError("the result is " + name + "; expected classes, probabilities, real or raw");
}

void register_postprocess(py::module_& module) {
  using postprocess::Postprocess;
  py::class_<Postprocess>(module, "Postprocess", "Reduces a network's output: classes, probabilities, real values.")
      .def(py::init([](const std::string& kind, const py::array& like, std::optional<int> fix_point) {
             const TensorView view = view_of(like);
             return Postprocess(kind_of(kind), TensorInfo{"output", view.shape, view.dtype, fix_point});
           }),
           py::arg("kind"), py::arg("like"), py::arg("fix_point") = py::none())
      .def_property_readonly("result", &Postprocess::result)
      .def(
          "run",
          [](const Postprocess& self, const py::array& output, py::array result) {
            const TensorView from = view_of(output);
            const TensorView to = writable_view_of(result);
            const ReleaseGil release;
            self.run(from, to);
          },
          py::arg("output"), py::arg("result"));
}

}  // namespace nerone::bindings
