#include "preprocess.hpp"

#include <memory>
#include <mutex>
#include <nerone/error.hpp>
#include <string>

#include "arrays.hpp"
#include "register.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace nerone::bindings {

namespace {

using namespace preprocess;

template <typename T>
T field(const py::dict& values, const char* name) {
  try {
    return values[name].cast<T>();
  } catch (const py::error_already_set&) {
    throw ConfigurationError(std::string("preprocessing: the field ") + name + " is missing");
  } catch (const py::cast_error&) {
    throw ConfigurationError(std::string("preprocessing: the field ") + name + " is " +
                             std::string(py::repr(values[name])) + ", which is no value for it");
  }
}

Method method_of(const py::dict& values) {
  const auto name = field<std::string>(values, "method");
  if (name == "nearest") return Method::nearest;
  if (name == "bilinear") return Method::bilinear;
  if (name == "cubic") return Method::cubic;
  if (name == "area") return Method::area;
  throw ConfigurationError("preprocessing: method is " + name + "; expected nearest, bilinear, cubic or area");
}

Scope scope_of(const py::dict& values) {
  return field<std::string>(values, "scope") == "volume" ? Scope::volume : Scope::slice;
}

using Pair = std::array<double, 2>;
using Limit = std::optional<double>;

Step step_of(const py::dict& d) {
  const auto kind = field<std::string>(d, "step");
  if (kind == "channels") return Channels{field<int>(d, "count"), field<std::vector<int>>(d, "order")};
  if (kind == "grey") return Grey{field<std::array<double, 3>>(d, "weights")};
  if (kind == "clip") return Clip{field<Limit>(d, "low"), field<Limit>(d, "high")};
  if (kind == "resample") return Resample{field<double>(d, "spacing_mm"), method_of(d)};
  if (kind == "resize") return Resize{field<int>(d, "height"), field<int>(d, "width"), method_of(d)};
  if (kind == "crop_or_pad") {
    return CropOrPad{field<int>(d, "height"), field<int>(d, "width"), field<double>(d, "value")};
  }
  if (kind == "window") return Window{field<double>(d, "low"), field<double>(d, "high"), field<Pair>(d, "to")};
  if (kind == "percentile") {
    return Percentile{field<Limit>(d, "low"), field<double>(d, "high"), field<Pair>(d, "to"), scope_of(d),
                      field<bool>(d, "nonzero")};
  }
  if (kind == "z_score") return ZScore{scope_of(d), field<bool>(d, "nonzero")};
  if (kind == "scale_offset") {
    return ScaleOffset{field<std::vector<double>>(d, "scale"), field<std::vector<double>>(d, "offset")};
  }
  throw ConfigurationError("preprocessing: there is no step " + kind);
}

// Python threads may share it, which one Preprocess does not allow by itself.
struct SharedPreprocess {
  Preprocess preprocess;
  std::mutex running;
};

py::tuple output_shape(const SharedPreprocess& shared, const py::object& image, const py::object& spacing_mm) {
  const Shape shape = shared.preprocess.output_shape(image_of(image, spacing_mm));
  return py::make_tuple(shape.height, shape.width, shape.channels);
}

void run(SharedPreprocess& shared, const py::object& image, int fix_point, py::array destination,
         const py::object& spacing_mm, const py::object& statistics) {
  Image from = image_of(image, spacing_mm);
  const auto given = statistics_of(statistics);
  from.statistics = given ? &*given : nullptr;
  const TensorView to = writable_view_of(destination);
  const ReleaseGil release;
  const std::lock_guard lock(shared.running);
  shared.preprocess.run(from, fix_point, to);
}

Statistics statistics_of_volume(const py::object& declaration, const py::iterable& slices) {
  const Steps steps = steps_of(declaration);
  std::vector<py::object> kept;
  std::vector<Image> images;
  for (const auto& slice : slices) {
    kept.push_back(py::reinterpret_borrow<py::object>(slice));
    images.push_back(image_of(kept.back(), py::none()));
  }
  const ReleaseGil release;
  return volume_statistics(steps, images);
}

}  // namespace

Steps steps_of(const py::handle& declaration) {
  if (!py::isinstance<py::dict>(declaration)) {
    throw ConfigurationError("preprocessing is no dict; give what Preprocessing.to_dict() gives");
  }
  Steps steps;
  for (const auto& step : field<py::list>(py::reinterpret_borrow<py::dict>(declaration), "steps")) {
    if (!py::isinstance<py::dict>(step)) throw ConfigurationError("preprocessing: a step is no dict");
    steps.push_back(step_of(py::reinterpret_borrow<py::dict>(step)));
  }
  return steps;
}

Image image_of(const py::object& image, const py::object& spacing_mm) {
  Image result;
  if (py::isinstance<py::array>(image)) {
    result.views.push_back(view_of(py::reinterpret_borrow<py::array>(image)));
  } else if (py::isinstance<py::list>(image) || py::isinstance<py::tuple>(image)) {
    for (const auto& channel : py::reinterpret_borrow<py::sequence>(image)) {
      if (!py::isinstance<py::array>(channel))
        throw DtypeError("a channel of the image is no array; give numpy arrays");
      const auto view = view_of(py::reinterpret_borrow<py::array>(channel));
      if (view.shape.size() != 2) {
        throw ShapeError("a channel of the image has shape " + to_string(view.shape) + "; expected (H, W)");
      }
      result.views.push_back(view);
    }
  } else {
    throw DtypeError("the image is " + std::string(py::str(py::type::handle_of(image))) +
                     "; expected a numpy array, or a list of them");
  }
  if (spacing_mm.is_none()) return result;
  try {
    const bool pair = py::isinstance<py::tuple>(spacing_mm) || py::isinstance<py::list>(spacing_mm);
    const auto values = pair ? spacing_mm.cast<Pair>() : Pair{spacing_mm.cast<double>(), spacing_mm.cast<double>()};
    result.spacing_mm = Spacing{values[0], values[1]};
  } catch (const py::cast_error&) {
    throw ConfigurationError("spacing_mm is " + std::string(py::repr(spacing_mm)) +
                             "; expected one or two positive numbers in millimetres (row, column)");
  }
  return result;
}

std::optional<Statistics> statistics_of(const py::object& statistics) {
  if (statistics.is_none()) return std::nullopt;
  try {
    return statistics.cast<Statistics>();
  } catch (const py::cast_error&) {
    throw ConfigurationError("statistics are no pairs of numbers per step and channel; give Statistics.values");
  }
}

void register_preprocess(py::module_& module) {
  py::class_<SharedPreprocess>(module, "Preprocess", "Executes the steps of a Preprocessing.")
      .def(py::init([](const py::object& declaration) {
             return std::unique_ptr<SharedPreprocess>(new SharedPreprocess{Preprocess(steps_of(declaration)), {}});
           }),
           py::arg("declaration"))
      .def("output_shape", &output_shape, py::arg("image"), py::arg("spacing_mm") = py::none())
      .def("run", &run, py::arg("image"), py::arg("fix_point"), py::arg("destination"), py::kw_only(),
           py::arg("spacing_mm") = py::none(), py::arg("statistics") = py::none());
  module.def("volume_statistics", &statistics_of_volume, py::arg("declaration"), py::arg("slices"));
}

}  // namespace nerone::bindings
