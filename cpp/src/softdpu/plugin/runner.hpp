#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vart/runner_ext.hpp>
#include <vector>

#include "softdpu/engine.hpp"
#include "softdpu/plugin/buffers.hpp"
#include "softdpu/plugin/simulated_device.hpp"
#include "xmodel/boundary.hpp"

namespace nerone::softdpu {

// How a runner behaves in time.
struct Timing {
  std::shared_ptr<SimulatedDevice> device;  // null: a job takes the time it takes
  std::chrono::microseconds latency{0};
  bool compute = true;  // false: a job only takes its time, outputs stay as they are
};

// The software DPU as VART sees it. As on the boards execute_async does the work and wait returns at once; several
// runners of one subgraph run in parallel, each called by one thread at a time (others wait).
class SoftDpuRunner final : public vart::RunnerExt {
 public:
  using Buffers = std::vector<vart::TensorBuffer*>;

  SoftDpuRunner(std::shared_ptr<const Engine> engine, const xmodel::Boundary& boundary, Timing timing);

  // int8 buffers are used where they lie; float32 ones are converted (see host_conversion.hpp). A batch of several
  // images is run one after the other. With the runner's own buffers nothing is allocated.
  // Throws ShapeError or DtypeError for buffers that do not fit.
  std::pair<std::uint32_t, int> execute_async(const Buffers& inputs, const Buffers& outputs) override;
  int wait(int job_id, int timeout_ms) override;

  std::vector<const xir::Tensor*> get_input_tensors() override { return tensors_.inputs; }
  std::vector<const xir::Tensor*> get_output_tensors() override { return tensors_.outputs; }
  Buffers get_inputs() override { return input_buffers_; }
  Buffers get_outputs() override { return output_buffers_; }

 private:
  void run_own();
  void run_foreign(const Buffers& inputs, const Buffers& outputs);
  void run_job(const std::function<void()>& work);

  std::shared_ptr<const Engine> engine_;
  std::unique_ptr<Context> context_;
  xmodel::Boundary tensors_;  // in the engine's order
  Timing timing_;
  std::vector<std::unique_ptr<OwnBuffer>> own_inputs_, own_outputs_;
  Buffers input_buffers_, output_buffers_;
  std::vector<const void*> input_memory_;
  std::vector<void*> output_memory_;
  std::function<void()> compute_own_;
  std::mutex mutex_;
  std::uint32_t last_job_ = 0;
};

}  // namespace nerone::softdpu
