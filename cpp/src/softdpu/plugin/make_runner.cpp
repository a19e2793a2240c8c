#include "softdpu/plugin/make_runner.hpp"

#include <limits>
#include <nerone/error.hpp>
#include <string>
#include <vart/runner.hpp>

#include "softdpu/plugin/engine_cache.hpp"
#include "softdpu/plugin/maker.hpp"
#include "softdpu/plugin/runner.hpp"
#include "xmodel/describe.hpp"

namespace nerone::softdpu {

namespace {

int count_attr(xir::Attrs* attrs, const char* key, int least = 0) {
  const auto value = attrs == nullptr ? least : xmodel::int_attr_or(attrs, key, least);
  if (value < least || value > std::numeric_limits<int>::max()) {
    throw ConfigurationError(std::string(key) + " is " + std::to_string(value) + ", expected " + std::to_string(least) +
                             " or more");
  }
  return static_cast<int>(value);
}

void check_most(const char* key, int value, int most) {
  if (value <= most) return;
  throw ConfigurationError(std::string(key) + " is " + std::to_string(value) + ", expected at most " +
                           std::to_string(most));
}

int threads_of(xir::Attrs* attrs) {
  constexpr const char* key = "nerone_threads_per_image";
  constexpr int most = 64;
  const int threads = count_attr(attrs, key, 1);
  check_most(key, threads, most);
  return threads;
}

Timing timing_of(xir::Attrs* attrs) {
  constexpr int unlimited_cores = 1024;
  Timing timing;
  const int cores = count_attr(attrs, "nerone_device_cores");
  const int latency_us = count_attr(attrs, "nerone_job_latency_us");
  check_most("nerone_device_cores", cores, unlimited_cores);
  timing.compute = attrs == nullptr || xmodel::int_attr_or(attrs, "nerone_compute", 1) != 0;
  timing.latency = std::chrono::microseconds(latency_us);
  if (cores > 0 || latency_us > 0) {
    timing.device = SimulatedDevice::shared(cores > 0 ? cores : unlimited_cores);
  }
  return timing;
}

}  // namespace

vart::Runner* make_runner(const xir::Subgraph* subgraph, xir::Attrs* attrs, const Maker& maker) {
  if (subgraph == nullptr) throw ModelError("no subgraph was given to the software DPU");
  const auto kernels =
      maker.kernels_from(attrs == nullptr ? "auto" : xmodel::string_attr_or(attrs, "nerone_kernels", "auto"));
  auto timing = timing_of(attrs);
  return new SoftDpuRunner(shared_engine(subgraph, kernels, threads_of(attrs), maker), xmodel::boundary_of(subgraph),
                           std::move(timing));
}

}  // namespace nerone::softdpu
