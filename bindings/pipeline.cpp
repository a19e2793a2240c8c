#include <pybind11/stl/filesystem.h>

#include <memory>
#include <nerone/error.hpp>
#include <nerone/pipeline.hpp>
#include <nerone/process.hpp>
#include <string>

#include "arrays.hpp"
#include "postprocess.hpp"
#include "preprocess.hpp"
#include "register.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace nerone::bindings {

namespace {

using namespace pipeline;

// A frame's images, one per input of the network, and what keeps their pixels alive.
class HeldFrame {
 public:
  // `statistics`: one per image, or None.
  HeldFrame(const py::tuple& given, const py::object& spacing_mm, const py::object& statistics,
            std::shared_ptr<DeferredReleases> releases)
      : owner_(given.size()), releases_(std::move(releases)) {
    statistics_.reserve(given.size());
    for (std::size_t i = 0; i < given.size(); ++i) {
      const py::object array = given[i];
      // A list may be changed meanwhile; a tuple of its arrays not.
      owner_[i] = py::isinstance<py::list>(array) ? py::object(py::tuple(array)) : array;
      images.push_back(image_of(owner_[i], spacing_mm));
      if (!statistics.is_none()) statistics_.push_back(statistics_of(statistics.cast<py::tuple>()[i]));
      if (!statistics_.empty() && statistics_.back()) images.back().statistics = &*statistics_.back();
    }
  }
  HeldFrame(const HeldFrame&) = delete;
  HeldFrame& operator=(const HeldFrame&) = delete;
  ~HeldFrame() { releases_->add(std::move(owner_)); }

  Images images;

 private:
  py::tuple owner_;
  std::vector<std::optional<preprocess::Statistics>> statistics_;
  std::shared_ptr<DeferredReleases> releases_;
};

// Whether a call ended in time.
template <typename Call>
bool in_time(Call&& call) {
  try {
    call();
    return true;
  } catch (const TimeoutError&) {
    return false;
  }
}

py::list arrays_of(Result&& result) {
  auto* kept = new Result(std::move(result));
  const py::capsule owner(kept, [](void* memory) { delete static_cast<Result*>(memory); });
  py::list arrays;
  for (const TensorView& view : kept->outputs()) arrays.append(array_over(view, owner));
  return arrays;
}

struct PyTicket {
  Ticket ticket;

  py::object wait(int timeout_ms) {
    Result result;
    const bool done =
        wait_in_slices(timeout_ms, [&](int slice) { return in_time([&] { result = ticket.wait(slice); }); });
    if (!done) throw TimeoutError("the frame is not done after " + std::to_string(timeout_ms) + " ms; wait again");
    return arrays_of(std::move(result));
  }
};

class PyPipeline {
 public:
  PyPipeline(const std::filesystem::path& model, const py::list& declarations, const std::string& kind,
             const DeviceOptions& device, const Options& options) {
    std::vector<preprocess::Steps> steps;
    for (const auto& declaration : declarations) steps.push_back(steps_of(declaration));
    const auto result = kind_of(kind);
    const ReleaseGil release;
    pipeline_.emplace(open_per_input(model, steps, result, device, options));
  }
  ~PyPipeline() {
    if (!process_.is_this()) {
      // A forked child: threads that it does not have may hold the locks, or seem to wait.
      pipeline_.reset();
      new std::shared_ptr<DeferredReleases>(std::move(releases_));
      return;
    }
    {
      const ReleaseGil release;
      pipeline_.reset();
    }
    releases_->release_all();
  }

  PyTicket submit(const py::tuple& images, const py::object& spacing_mm, const py::object& statistics, int timeout_ms) {
    process_.require("pipeline");
    releases_->release_all();
    auto held = std::make_shared<HeldFrame>(images, spacing_mm, statistics, releases_);
    const Frame frame(held, &held->images);
    held.reset();
    PyTicket result;
    const bool accepted = wait_in_slices(
        timeout_ms, [&](int slice) { return in_time([&] { result.ticket = pipeline_->submit(frame, slice); }); });
    if (!accepted) {
      throw TimeoutError("the queue is still full after " + std::to_string(timeout_ms) + " ms; submit again later");
    }
    return result;
  }

  std::uint64_t done() const { return pipeline_->done(); }
  bool wait_past(std::uint64_t seen, int timeout_ms) const {
    return wait_in_slices(timeout_ms, [&](int slice) { return pipeline_->wait_past(seen, slice); });
  }

  void drain(int timeout_ms) {
    const bool drained =
        wait_in_slices(timeout_ms, [&](int slice) { return in_time([&] { pipeline_->drain(slice); }); });
    if (!drained) throw TimeoutError("frames are still being worked on after " + std::to_string(timeout_ms) + " ms");
  }
  void close(bool finish, int timeout_ms) {
    if (!process_.is_this()) return;
    const bool closed =
        wait_in_slices(timeout_ms, [&](int slice) { return in_time([&] { pipeline_->close(finish, slice); }); });
    releases_->release_all();
    if (!closed) throw TimeoutError("workers are still busy after " + std::to_string(timeout_ms) + " ms");
  }

  const std::vector<TensorInfo>& inputs() const { return pipeline_->inputs(); }
  const std::vector<TensorInfo>& results() const { return pipeline_->results(); }
  std::size_t in_flight_limit() const { return pipeline_->in_flight_limit(); }
  Stats stats() const {
    const ReleaseGil release;
    return pipeline_->stats();
  }
  void reset_stats() {
    const ReleaseGil release;
    pipeline_->reset_stats();
  }

 private:
  const Process process_;
  std::shared_ptr<DeferredReleases> releases_ = std::make_shared<DeferredReleases>();
  std::optional<Pipeline> pipeline_;
};

void register_stats(py::module_& module) {
  py::class_<Durations>(module, "Durations", "Milliseconds that a stage took.")
      .def_readonly("mean_ms", &Durations::mean_ms)
      .def_readonly("p50_ms", &Durations::p50_ms)
      .def_readonly("p90_ms", &Durations::p90_ms)
      .def_readonly("p99_ms", &Durations::p99_ms)
      .def_readonly("max_ms", &Durations::max_ms);
  py::class_<Stats>(module, "PipelineStats", "What a pipeline did since it began, or since reset_stats.")
      .def_readonly("submitted", &Stats::submitted)
      .def_readonly("completed", &Stats::completed)
      .def_readonly("failed", &Stats::failed)
      .def_readonly("workers_replaced", &Stats::workers_replaced)
      .def_readonly("elapsed_s", &Stats::elapsed_s)
      .def_readonly("fps", &Stats::fps)
      .def_readonly("latency", &Stats::latency)
      .def_readonly("queue", &Stats::queue)
      .def_readonly("preprocess", &Stats::preprocess)
      .def_readonly("device", &Stats::device)
      .def_readonly("postprocess", &Stats::postprocess);
}

}  // namespace

void register_pipeline(py::module_& module) {
  register_stats(module);
  py::class_<PyTicket>(module, "Ticket", "A submitted frame's future; its result is collected once.")
      .def("ready", [](const PyTicket& self) { return self.ticket.ready(); })
      .def("wait", &PyTicket::wait, py::arg("timeout_ms") = -1);
  py::class_<PyPipeline>(module, "Pipeline", "Frames through worker threads that own runners.")
      .def(py::init([](const std::filesystem::path& model, const py::list& declarations, const std::string& result,
                       const DeviceOptions& device, int workers, int queue_size, int device_timeout_ms,
                       std::vector<int> pin_to) {
             Options options;
             options.workers = workers;
             options.queue_size = queue_size;
             options.device_timeout_ms = device_timeout_ms;
             options.pin_to = std::move(pin_to);
             return std::make_unique<PyPipeline>(model, declarations, result, device, options);
           }),
           py::arg("model"), py::arg("declarations"), py::arg("result"), py::arg("device"), py::arg("workers"),
           py::arg("queue_size"), py::arg("device_timeout_ms"), py::arg("pin_to"))
      .def("submit", &PyPipeline::submit, py::arg("images"), py::arg("spacing_mm") = py::none(),
           py::arg("statistics") = py::none(), py::arg("timeout_ms") = -1)
      .def("done", &PyPipeline::done)
      .def("wait_past", &PyPipeline::wait_past, py::arg("seen"), py::arg("timeout_ms") = -1)
      .def("drain", &PyPipeline::drain, py::arg("timeout_ms") = -1)
      .def("close", &PyPipeline::close, py::arg("finish") = true, py::arg("timeout_ms") = -1)
      .def_property_readonly("inputs", &PyPipeline::inputs)
      .def_property_readonly("results", &PyPipeline::results)
      .def_property_readonly("in_flight_limit", &PyPipeline::in_flight_limit)
      .def("stats", &PyPipeline::stats)
      .def("reset_stats", &PyPipeline::reset_stats);
  module.def("default_workers", &default_workers, py::arg("device"));
}

}  // namespace nerone::bindings
