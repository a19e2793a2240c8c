#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nerone/cores.hpp>
#include <nerone/model.hpp>
#include <system_error>
#include <thread>

#include "arrays.hpp"
#include "register.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace nerone::bindings {

namespace {

// Calls that take longer than this hear Ctrl-C.
constexpr auto quick = std::chrono::milliseconds(20);

struct PyModel {
  Model model;
  std::atomic<bool> is_quick{false};  // the last run was
};

std::shared_ptr<PyModel> load(const std::filesystem::path& path, const DeviceOptions& options, bool until_dpu) {
  const ReleaseGil release;
  return std::shared_ptr<PyModel>(new PyModel{Model::load(path, options, until_dpu ? Until::first_dpu : Until::end)});
}

// Work that an interrupted call left to the thread that runs it; never destroyed, as the interpreter may be gone by
// then.
DeferredReleases& releases() {
  static auto* const releases = new DeferredReleases;
  return *releases;
}

// One call of Model::run, on whichever thread, with what keeps its arrays alive.
class Call {
 public:
  Call(std::shared_ptr<PyModel> model, const std::vector<py::array>& inputs, std::vector<py::array>& outputs,
       int timeout_ms)
      : model_(std::move(model)),
        from_(views_of(inputs)),
        to_(writable_views_of(outputs)),
        timeout_ms_(timeout_ms),
        arrays_(py::make_tuple(inputs, outputs)) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    if (arrays_) releases().add(std::move(arrays_));
  }

  void run() {
    const auto start = std::chrono::steady_clock::now();
    std::exception_ptr error;
    try {
      model_->model.run(from_, to_, timeout_ms_);
    } catch (...) {
      error = std::current_exception();
    }
    model_->is_quick = std::chrono::steady_clock::now() - start < quick;
    const std::lock_guard lock(mutex_);
    error_ = error;
    done_ = true;
    ended_.notify_all();
  }
  bool wait(int timeout_ms) {
    std::unique_lock lock(mutex_);
    return ended_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return done_; });
  }
  // With the GIL held, when it is done.
  void finish() {
    arrays_ = py::object();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::shared_ptr<PyModel> model_;
  std::vector<TensorView> from_, to_;
  int timeout_ms_;
  py::object arrays_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;
  std::exception_ptr error_;
};

bool start_thread(const std::shared_ptr<Call>& call) {
  try {
    std::thread([call] { call->run(); }).detach();
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

// A device's job cannot be interrupted; a long one runs on a thread of its own, which Ctrl-C leaves behind.
void run(const std::shared_ptr<PyModel>& model, const std::vector<py::array>& inputs, std::vector<py::array> outputs,
         int timeout_ms) {
  releases().release_all();
  const auto call = std::make_shared<Call>(model, inputs, outputs, timeout_ms);
  if (model->is_quick || !start_thread(call)) {
    const ReleaseGil release;
    call->run();
  } else {
    wait_in_slices(-1, [&](int slice) { return call->wait(slice); });
  }
  call->finish();
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
  module.def("usable_cores", &usable_cores, "CPU cores that this process may use.", py::arg("root") = "/");
  module.def("simd_target", &simd_target, "The vector instructions that the kernels take on this processor.");
}

}  // namespace

void register_model(py::module_& module) {
  register_options(module);
  py::class_<SubgraphInfo>(module, "SubgraphInfo", "One subgraph of a compiled model.")
      .def_readonly("name", &SubgraphInfo::name)
      .def_readonly("device", &SubgraphInfo::device)
      .def_readonly("ops", &SubgraphInfo::ops);
  py::class_<PyModel, std::shared_ptr<PyModel>>(module, "Model", "A compiled model and its runners.")
      .def(py::init(&load), py::arg("path"), py::arg("options"), py::arg("until_dpu") = false)
      .def_property_readonly("inputs", [](const PyModel& self) { return self.model.inputs(); })
      .def_property_readonly("outputs", [](const PyModel& self) { return self.model.outputs(); })
      .def_property_readonly("subgraphs", [](const PyModel& self) { return self.model.subgraphs(); })
      .def("run", &run, py::arg("inputs"), py::arg("outputs"), py::arg("timeout_ms") = -1);
}

}  // namespace nerone::bindings
