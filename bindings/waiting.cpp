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

void Graveyard::bury(py::object object) {
  const std::lock_guard lock(mutex_);
  dead_.push_back(std::move(object));
}

void Graveyard::empty() {
  std::vector<py::object> dead;
  {
    const std::lock_guard lock(mutex_);
    dead.swap(dead_);
  }
}

Graveyard::~Graveyard() {
  for (auto& object : dead_) object.release();  // the interpreter may be gone
}

}  // namespace nerone::bindings
