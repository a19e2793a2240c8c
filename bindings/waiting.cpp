#include "waiting.hpp"

#include <cxxabi.h>
#include <unistd.h>

namespace py = pybind11;

namespace nerone::bindings {

namespace {

[[noreturn]] void sleep_until_the_end() {
  while (true) ::pause();
}

}  // namespace

ReleaseGil::~ReleaseGil() {
  try {
    PyEval_RestoreThread(state_);
  } catch (abi::__forced_unwind&) {
    sleep_until_the_end();
  }
}

void DeferredReleases::add(py::object object) {
  const std::lock_guard lock(mutex_);
  objects_.push_back(std::move(object));
}

void DeferredReleases::release_all() {
  std::vector<py::object> objects;
  {
    const std::lock_guard lock(mutex_);
    objects.swap(objects_);
  }
}

DeferredReleases::~DeferredReleases() {
  for (auto& object : objects_) object.release();  // the interpreter may be gone
}

}  // namespace nerone::bindings
