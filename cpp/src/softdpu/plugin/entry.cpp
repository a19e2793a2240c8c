// The two functions by which VART loads a runner library. They throw the errors of nerone/error.hpp, which VART passes
// on to the caller of vart::Runner::create_runner*.

#include <limits>
#include <nerone/error.hpp>
#include <string>
#include <vart/runner.hpp>

#include "softdpu/plugin/engine_cache.hpp"
#include "softdpu/plugin/runner.hpp"
#include "xmodel/handle.hpp"

namespace {

using namespace nerone;

int count_attr(xir::Attrs* attrs, const char* key) {
  const auto value = attrs == nullptr ? 0 : xmodel::int_attr_or(attrs, key, 0);
  if (value < 0 || value > std::numeric_limits<int>::max()) {
    throw ConfigurationError(std::string(key) + " is " + std::to_string(value) + ", expected 0 or more");
  }
  return static_cast<int>(value);
}

softdpu::Timing timing_of(xir::Attrs* attrs) {
  constexpr int unlimited_cores = 1024;
  softdpu::Timing timing;
  const int cores = count_attr(attrs, "nerone_device_cores");
  const int latency_us = count_attr(attrs, "nerone_job_latency_us");
  if (cores > unlimited_cores) {
    throw ConfigurationError("nerone_device_cores is " + std::to_string(cores) + ", expected at most " +
                             std::to_string(unlimited_cores));
  }
  timing.compute = attrs == nullptr || xmodel::int_attr_or(attrs, "nerone_compute", 1) != 0;
  timing.latency = std::chrono::microseconds(latency_us);
  if (cores > 0 || latency_us > 0) {
    timing.device = softdpu::SimulatedDevice::shared(cores > 0 ? cores : unlimited_cores);
  }
  return timing;
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) vart::Runner* create_runner_with_attrs(const xir::Subgraph* subgraph,
                                                                              xir::Attrs* attrs) {
  if (subgraph == nullptr) throw ModelError("no subgraph was given to the software DPU");
  const auto kernels =
      softdpu::kernels_from(attrs == nullptr ? "auto" : xmodel::string_attr_or(attrs, "nerone_kernels", "auto"));
  auto timing = timing_of(attrs);
  return new softdpu::SoftDpuRunner(softdpu::shared_engine(subgraph, kernels), xmodel::boundary_of(subgraph),
                                    std::move(timing));
}

__attribute__((visibility("default"))) vart::Runner* create_runner(const xir::Subgraph* subgraph) {
  return create_runner_with_attrs(subgraph, nullptr);
}

}  // extern "C"
