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
  std::filesystem::path file;
  xmodel::Handle model;
  DeviceOptions device;
  preprocess::Steps steps;
  int device_timeout_ms = 0;

  // The DPU subgraph that does everything but what postprocess does as well, straight out of the runner's memory; empty
  // where the model has to be run as a chain of subgraphs.
  std::string dpu_subgraph;
  TensorInfo input;
  std::vector<TensorInfo> outputs;
  std::vector<postprocess::Postprocess> reductions;  // one per output
};

// ConfigurationError where the model has more than one input; ModelError, DtypeError, ShapeError.
std::shared_ptr<const WorkerPlan> plan_workers(const std::filesystem::path& file, const preprocess::Steps& steps,
                                               postprocess::Kind kind, const DeviceOptions& device,
                                               int device_timeout_ms);

// Writes into the runner's input memory and reduces out of its output memory: nothing is copied.
std::unique_ptr<Worker> make_device_worker(std::shared_ptr<const WorkerPlan> plan);
// Runs all subgraphs of the model.
std::unique_ptr<Worker> make_model_worker(std::shared_ptr<const WorkerPlan> plan);

}  // namespace nerone::pipeline
