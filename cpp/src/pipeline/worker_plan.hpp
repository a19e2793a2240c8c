#pragma once

// How a model's frames are executed: decided once, used by every worker.

#include <memory>
#include <nerone/device.hpp>
#include <nerone/pipeline.hpp>
#include <nerone/postprocess.hpp>
#include <string>
#include <vector>

#include "xmodel/handle.hpp"

namespace nerone::pipeline {

struct WorkerPlan {
  xmodel::Handle model;  // shared by all workers, and with it the weights
  DeviceOptions device;
  std::vector<preprocess::Steps> steps;  // one list per input
  int job_timeout_ms = -1;               // of the runner; negative waits for ever

  // The DPU subgraph that does everything but what postprocess does as well, straight out of the runner's memory; empty
  // where the model has to be run as a chain of subgraphs.
  std::string dpu_subgraph;
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;
  std::vector<postprocess::Postprocess> reductions;  // one per output
};

// `steps`: one list per input, or one for all. ConfigurationError where there are as many as neither; ModelError,
// DtypeError, ShapeError.
std::shared_ptr<const WorkerPlan> plan_workers(const std::filesystem::path& file,
                                               const std::vector<preprocess::Steps>& steps, postprocess::Kind kind,
                                               const DeviceOptions& device, int device_timeout_ms);

// A frame's images through the plan's steps, each into its input's memory.
class Inputs {
 public:
  explicit Inputs(const WorkerPlan& plan);
  // ShapeError where the frame has not one image per input. `destinations`: a view per input.
  void run(const Images& frame, const std::vector<TensorView>& destinations);

 private:
  std::vector<preprocess::Preprocess> preprocess_;
  std::vector<int> fix_points_;
};

// Writes into the runner's input memory and reduces out of its output memory: nothing is copied.
std::unique_ptr<Worker> make_device_worker(std::shared_ptr<const WorkerPlan> plan);
// Runs all subgraphs of the model.
std::unique_ptr<Worker> make_model_worker(std::shared_ptr<const WorkerPlan> plan);

}  // namespace nerone::pipeline
