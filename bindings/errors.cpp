#include <nerone/error.hpp>

#include "register.hpp"

namespace py = pybind11;

namespace nerone::bindings {

namespace {

void raise(const char* name, const std::exception& error) {
  const auto type = py::module_::import("nerone.errors").attr(name);
  py::set_error(type, error.what());
}

void translate(std::exception_ptr pointer) {
  try {
    if (pointer) std::rethrow_exception(pointer);
  } catch (const ShapeError& error) {
    raise("ShapeError", error);
  } catch (const DtypeError& error) {
    raise("DtypeError", error);
  } catch (const ModelError& error) {
    raise("ModelError", error);
  } catch (const DeviceError& error) {
    raise("DeviceError", error);
  } catch (const TimeoutError& error) {
    raise("TimeoutError", error);
  } catch (const QueueClosedError& error) {
    raise("QueueClosedError", error);
  } catch (const ConfigurationError& error) {
    raise("ConfigurationError", error);
  } catch (const Error& error) {
    raise("Error", error);
  }
}

}  // namespace

void register_errors() { py::register_exception_translator(&translate); }

}  // namespace nerone::bindings
