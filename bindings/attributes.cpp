#include "attributes.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <limits>
#include <nerone/error.hpp>
#include <type_traits>

namespace py = pybind11;

namespace nerone::bindings {

namespace {

py::object number_type(const char* name) { return py::module_::import("nerone._core").attr(name); }

bool is_a(const py::handle& value, const char* type) { return py::isinstance(value, number_type(type)); }

bool is_bool(const py::handle& value) {
  return PyBool_Check(value.ptr()) != 0 || std::string(Py_TYPE(value.ptr())->tp_name) == "numpy.bool" ||
         std::string(Py_TYPE(value.ptr())->tp_name) == "numpy.bool_";
}

// numpy's numbers too, which are no int and, but for float64, no float.
bool is_integer(const py::handle& value) { return !is_bool(value) && PyIndex_Check(value.ptr()) != 0; }
bool is_number(const py::handle& value) {
  return !is_bool(value) && (PyFloat_Check(value.ptr()) != 0 || py::hasattr(value, "__float__")) &&
         !py::isinstance<py::array>(value);
}

template <typename T>
T integer(const std::string& key, const py::handle& value) {
  const auto index = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
  if (!index) throw py::error_already_set();
  if constexpr (std::is_unsigned_v<T>) {
    const auto number = PyLong_AsUnsignedLongLong(index.ptr());
    if (!PyErr_Occurred()) return number;
  } else {
    int overflow = 0;
    const auto number = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
    if (overflow == 0 && number >= std::numeric_limits<T>::min() && number <= std::numeric_limits<T>::max()) {
      return static_cast<T>(number);
    }
  }
  PyErr_Clear();
  throw ModelError("attribute '" + key + "' is " + std::string(py::str(index)) + ", which does not fit " +
                   (std::is_unsigned_v<T> ? "64 bits without sign" : "32 bits; give a UInt64 for a larger number"));
}

[[noreturn]] void refuse(const std::string& key, const py::handle& value) {
  throw ModelError("attribute '" + key + "' is a " + std::string(Py_TYPE(value.ptr())->tp_name) +
                   ", expected a bool, int, float, str, bytes, UInt64, Float64, or a list or dict of one of them");
}

template <typename Predicate>
bool all_of(const py::handle& values, Predicate predicate) {
  for (const auto value : values) {
    if (!predicate(value)) return false;
  }
  return true;
}

bool is_text(const py::handle& value) { return py::isinstance<py::str>(value); }
bool is_bytes(const py::handle& value) { return py::isinstance<py::bytes>(value); }
bool is_uint64(const py::handle& value) { return is_a(value, "UInt64"); }

xmodel::Bytes bytes_of(const py::handle& value) {
  const auto text = value.cast<std::string_view>();
  return {text.begin(), text.end()};
}

template <typename T, typename Convert>
std::vector<T> vector_of(const py::handle& values, Convert convert) {
  std::vector<T> converted;
  for (const auto value : values) converted.push_back(convert(value));
  return converted;
}

xmodel::Attr sequence_attr(const std::string& key, const py::sequence& values) {
  if (values.size() > 0 && all_of(values, is_bool)) {
    return vector_of<bool>(values, [](const py::handle& value) { return py::bool_(value.attr("__bool__")()); });
  }
  if (values.size() > 0 && all_of(values, is_uint64)) {
    return vector_of<std::uint64_t>(values,
                                    [&](const py::handle& value) { return integer<std::uint64_t>(key, value); });
  }
  if (all_of(values, is_integer)) {
    return vector_of<std::int32_t>(values, [&](const py::handle& value) { return integer<std::int32_t>(key, value); });
  }
  if (all_of(values, [](const py::handle& value) { return is_a(value, "Float64"); })) {
    return vector_of<double>(values, [](const py::handle& value) { return py::float_(value.attr("__float__")()); });
  }
  if (all_of(values, is_number)) {
    return vector_of<float>(values, [](const py::handle& value) {
      return static_cast<float>(static_cast<double>(py::float_(value.attr("__float__")())));
    });
  }
  if (all_of(values, is_text)) return values.cast<std::vector<std::string>>();
  if (all_of(values, is_bytes)) return vector_of<xmodel::Bytes>(values, bytes_of);
  refuse(key, values);
}

template <typename T, typename Convert>
std::map<std::string, T> map_of(const py::dict& values, Convert convert) {
  std::map<std::string, T> converted;
  for (const auto& [name, value] : values) converted[py::str(name)] = convert(value);
  return converted;
}

xmodel::Attr mapping_attr(const std::string& key, const py::dict& values) {
  const auto items = py::list(values.attr("values")());
  if (!all_of(py::list(values.attr("keys")()), is_text)) refuse(key, values);
  if (all_of(items, is_text))
    return map_of<std::string>(values, [](const py::handle& value) { return value.cast<std::string>(); });
  if (all_of(items, is_bytes)) return map_of<xmodel::Bytes>(values, bytes_of);
  if (all_of(items, is_uint64)) {
    return map_of<std::uint64_t>(values, [&](const py::handle& value) { return integer<std::uint64_t>(key, value); });
  }
  if (all_of(items, is_integer)) {
    return map_of<std::int32_t>(values, [&](const py::handle& value) { return integer<std::int32_t>(key, value); });
  }
  refuse(key, values);
}

py::object from_value(std::uint64_t value) { return number_type("UInt64")(value); }
py::object from_value(double value) { return number_type("Float64")(value); }
py::object from_value(const xmodel::Bytes& value) { return py::bytes(value.data(), value.size()); }

template <typename T>
py::object from_value(const T& value) {
  return py::cast(value);
}

template <typename T>
py::object from_value(const std::vector<T>& values) {
  py::list list;
  for (const T& value : values) list.append(from_value(value));
  return list;
}

template <typename T>
py::object from_value(const std::map<std::string, T>& values) {
  py::dict dict;
  for (const auto& [name, value] : values) dict[py::str(name)] = from_value(value);
  return dict;
}

}  // namespace

xmodel::Attr to_attr(const std::string& key, const py::handle& value) {
  if (is_bool(value)) return static_cast<bool>(py::bool_(value.attr("__bool__")()));
  if (is_uint64(value)) return integer<std::uint64_t>(key, value);
  if (is_a(value, "Float64")) return value.cast<double>();
  if (is_text(value)) return value.cast<std::string>();
  if (is_bytes(value)) return bytes_of(value);
  if (py::isinstance<py::array>(value)) return bytes_of(value.attr("tobytes")());
  if (is_integer(value)) return integer<std::int32_t>(key, value);
  if (is_number(value)) return static_cast<float>(static_cast<double>(py::float_(value.attr("__float__")())));
  if (py::isinstance<py::dict>(value)) return mapping_attr(key, py::reinterpret_borrow<py::dict>(value));
  if (py::isinstance<py::list>(value) || py::isinstance<py::tuple>(value)) {
    return sequence_attr(key, py::reinterpret_borrow<py::sequence>(value));
  }
  refuse(key, value);
}

xmodel::Attrs to_attrs(const py::handle& mapping) {
  if (!py::isinstance<py::dict>(mapping)) throw ModelError("'attrs' is no dict");
  xmodel::Attrs attrs;
  for (const auto& [key, value] : py::reinterpret_borrow<py::dict>(mapping)) {
    const std::string name = py::str(key);
    attrs[name] = to_attr(name, value);
  }
  return attrs;
}

py::object from_attr(const xmodel::Attr& attr) {
  return std::visit([](const auto& value) { return from_value(value); }, attr);
}

py::dict from_attrs(const xmodel::Attrs& attrs) {
  py::dict dict;
  for (const auto& [key, value] : attrs) dict[py::str(key)] = from_attr(value);
  return dict;
}

void register_number_types(py::module_& module) {
  const auto type = py::module_::import("builtins").attr("type");
  const auto add = [&](const char* name, const char* base, const char* text) {
    py::dict body;
    body["__module__"] = "nerone._core";
    body["__doc__"] = text;
    module.attr(name) = type(name, py::make_tuple(py::module_::import("builtins").attr(base)), body);
  };
  add("UInt64", "int", "An attribute of XIR's type uint64 (dpu_fingerprint, workload).");
  add("Float64", "float", "An attribute of XIR's type double.");
}

}  // namespace nerone::bindings
