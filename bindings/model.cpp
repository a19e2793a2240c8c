#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <deque>
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

class Call;

// Runs one call after the other on a thread of its own, which lives until the last of them is done.
class Caller {
 public:
  Caller() : thread_state_(std::make_shared<State>()) {}
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  ~Caller() {
    const std::lock_guard lock(thread_state_->mutex);
    thread_state_->is_over = true;
    thread_state_->changed.notify_one();
  }
  bool take(const std::shared_ptr<Call>& call);  // false where the system gives no thread

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::shared_ptr<Call>> waiting;
    bool is_over = false;
  };
  static void work(const std::shared_ptr<State>& state);

  std::shared_ptr<State> thread_state_;
  bool has_thread_ = false;
};

struct PyModel {
  Model model;
  std::unique_ptr<Caller> caller{};
  pid_t caller_pid = 0;  // a forked child has no threads of its parent's
};

std::shared_ptr<PyModel> load(const std::filesystem::path& path, const DeviceOptions& options, bool until_dpu) {
  const ReleaseGil release;
  return std::shared_ptr<PyModel>(
      new PyModel{Model::load(path, options, until_dpu ? Until::first_dpu : Until::end), nullptr, 0});
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
    std::exception_ptr error;
    try {
      model_->model.run(from_, to_, timeout_ms_);
    } catch (...) {
      error = std::current_exception();
    }
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

bool Caller::take(const std::shared_ptr<Call>& call) {
  const std::lock_guard lock(thread_state_->mutex);
  if (!has_thread_) {
    try {
      std::thread([state = thread_state_] { work(state); }).detach();
    } catch (const std::system_error&) {
      return false;
    }
    has_thread_ = true;
  }
  thread_state_->waiting.push_back(call);
  thread_state_->changed.notify_one();
  return true;
}

void Caller::work(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  while (true) {
    state->changed.wait(lock, [&] { return state->is_over || !state->waiting.empty(); });
    if (state->waiting.empty()) return;
    auto call = std::move(state->waiting.front());
    state->waiting.pop_front();
    lock.unlock();
    call->run();
    call.reset();  // the last call may own this thread's model
    lock.lock();
  }
}

// Signals reach Python's main thread only.
bool hears_signals() {
  static const auto& main_thread = *new py::object(py::module_::import("threading").attr("main_thread"));
  return main_thread().attr("ident").cast<unsigned long>() == PyThread_get_thread_ident();
}

bool hand_over(PyModel& model, const std::shared_ptr<Call>& call) {
  if (model.caller_pid != ::getpid()) {
    static_cast<void>(model.caller.release());  // its mutex may be another thread's, of another process
    model.caller = std::make_unique<Caller>();
    model.caller_pid = ::getpid();
  }
  return model.caller->take(call);
}

// A device's job cannot be interrupted; where Ctrl-C may come it runs on a thread of its own, which that leaves behind.
void run(const std::shared_ptr<PyModel>& model, const std::vector<py::array>& inputs, std::vector<py::array> outputs,
         int timeout_ms) {
  releases().release_all();
  const auto call = std::make_shared<Call>(model, inputs, outputs, timeout_ms);
  if (!hears_signals() || !hand_over(*model, call)) {
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
      .def(py::init([](std::string device, std::string kernels, int cores, int job_latency_us, bool compute,
                       int threads_per_image) {
             return DeviceOptions{std::move(device), std::move(kernels), cores, job_latency_us,
                                  compute,           threads_per_image};
           }),
           py::arg("device") = defaults.device, py::arg("kernels") = defaults.kernels,
           py::arg("cores") = defaults.cores, py::arg("job_latency_us") = defaults.job_latency_us,
           py::arg("compute") = defaults.compute, py::arg("threads_per_image") = defaults.threads_per_image)
      .def_readonly("device", &DeviceOptions::device)
      .def_readonly("kernels", &DeviceOptions::kernels)
      .def_readonly("cores", &DeviceOptions::cores)
      .def_readonly("job_latency_us", &DeviceOptions::job_latency_us)
      .def_readonly("compute", &DeviceOptions::compute)
      .def_readonly("threads_per_image", &DeviceOptions::threads_per_image);
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
