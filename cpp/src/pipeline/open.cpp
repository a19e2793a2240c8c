#include <algorithm>
#include <nerone/cores.hpp>

#include "pipeline/worker_plan.hpp"

namespace nerone::pipeline {

int default_workers(const DeviceOptions& device) {
  constexpr int board_workers = 4;  // two cores, and two frames that the host prepares meanwhile
  if (device.cores > 0) return 2 * device.cores;
  if (device.device != "softdpu") return board_workers;
  return std::max(usable_cores() / std::max(device.threads_per_image, 1), 1);
}

Pipeline open(const std::filesystem::path& model, const preprocess::Steps& steps, postprocess::Kind kind,
              const DeviceOptions& device, Options options) {
  return open_per_input(model, {steps}, kind, device, std::move(options));
}

Pipeline open_per_input(const std::filesystem::path& model, const std::vector<preprocess::Steps>& steps,
                        postprocess::Kind kind, const DeviceOptions& device, Options options) {
  if (options.workers == 0) options.workers = default_workers(device);
  const auto plan = plan_workers(model, steps, kind, device, options.device_timeout_ms);
  const bool direct = !plan->dpu_subgraph.empty();
  return {[plan, direct] { return direct ? make_device_worker(plan) : make_model_worker(plan); }, options};
}

}  // namespace nerone::pipeline
