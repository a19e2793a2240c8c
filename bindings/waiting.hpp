#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace nerone::bindings {

// Lets other Python threads run until it is destroyed. Where the interpreter ends meanwhile, its thread is never given
// the GIL again: it sleeps until the process ends, as from Python 3.14 on. Older ones would unwind it through
// destructors, which ends the process.
class ReleaseGil {
 public:
  ReleaseGil() : state_(PyEval_SaveThread()) {}
  ~ReleaseGil();
  ReleaseGil(const ReleaseGil&) = delete;
  ReleaseGil& operator=(const ReleaseGil&) = delete;

 private:
  PyThreadState* state_;
};

// A waiting call looks for Ctrl-C as often.
constexpr int slice_ms = 100;

// Calls wait(milliseconds) without the GIL, in slices, until it gives true or the time is over.
template <typename Wait>
bool wait_in_slices(int timeout_ms, Wait&& wait) {
  const auto start = std::chrono::steady_clock::now();
  while (true) {
    const auto gone =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start).count();
    const auto left = timeout_ms < 0 ? slice_ms : std::max<std::int64_t>(0, timeout_ms - gone);
    {
      const ReleaseGil release;
      if (wait(static_cast<int>(std::min<std::int64_t>(left, slice_ms)))) return true;
    }
    if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
    if (timeout_ms >= 0 && left <= slice_ms) return false;
  }
}

// Python objects that other threads are done with. They put them here, since letting go needs the GIL; the next call
// from Python lets go.
class DeferredReleases {
 public:
  void add(pybind11::object object);
  void release_all();  // with the GIL held
  ~DeferredReleases();

 private:
  std::mutex mutex_;
  std::vector<pybind11::object> objects_;
};

}  // namespace nerone::bindings
