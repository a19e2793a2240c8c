#include <algorithm>
#include <nerone/error.hpp>

#include "pipeline/worker_plan.hpp"
#include "vart/dpu_runner.hpp"

namespace nerone::pipeline {

namespace {

// The runner's port of a tensor: by name, which boards lengthen, or the only one.
std::size_t find_port(const std::vector<vart::Port>& ports, const TensorInfo& tensor) {
  const auto find = [&](auto&& fits) {
    return static_cast<std::size_t>(std::find_if(ports.begin(), ports.end(), fits) - ports.begin());
  };
  auto port = find([&](const vart::Port& candidate) { return candidate.info.name == tensor.name; });
  if (port == ports.size()) {
    port =
        find([&](const vart::Port& candidate) { return candidate.info.name.find(tensor.name) != std::string::npos; });
  }
  if (port == ports.size() && ports.size() == 1) port = 0;
  if (port == ports.size()) {
    throw ModelError("the runner has no buffer for tensor '" + tensor.name + "'; compile the model again");
  }
  const auto& view = ports[port].images.front();
  if (view.dtype != tensor.dtype ||
      view.element_count() != TensorView{nullptr, tensor.dtype, tensor.shape, {}}.element_count()) {
    throw ModelError("the runner's buffer of tensor '" + tensor.name + "' has shape " + to_string(view.shape) +
                     " and dtype " + name_of(view.dtype) + ", the model says " + to_string(tensor.shape) + " and " +
                     name_of(tensor.dtype));
  }
  return port;
}

std::vector<TensorView> views_of(const vart::Port& port, const TensorInfo& tensor) {
  std::vector<TensorView> views;
  for (const auto& image : port.images) {
    views.push_back(TensorView::contiguous(image.data, tensor.dtype, tensor.shape));
  }
  return views;
}

class DeviceWorker : public Worker {
 public:
  explicit DeviceWorker(std::shared_ptr<const WorkerPlan> plan)
      : plan_(std::move(plan)),
        runner_(vart::Runner::create(plan_->model, plan_->dpu_subgraph, plan_->device)),
        preprocess_(*plan_) {
    for (const auto& tensor : plan_->inputs) {
      const auto views = views_of(runner_.inputs().at(find_port(runner_.inputs(), tensor)), tensor);
      inputs_.resize(views.size());
      for (std::size_t position = 0; position < views.size(); ++position) inputs_[position].push_back(views[position]);
    }
    for (std::size_t i = 0; i < plan_->outputs.size(); ++i) {
      const auto& tensor = plan_->outputs[i];
      outputs_.push_back(views_of(runner_.outputs().at(find_port(runner_.outputs(), tensor)), tensor));
      results_.push_back(plan_->reductions[i].result());
    }
  }

  int batch() const override { return static_cast<int>(inputs_.size()); }
  std::vector<TensorInfo> inputs() const override { return plan_->inputs; }
  const std::vector<TensorInfo>& results() const override { return results_; }

  void preprocess(const Images& frame, int position) override {
    preprocess_.run(frame, inputs_[static_cast<std::size_t>(position)]);
  }

  void execute() override { runner_.run(plan_->device_timeout_ms > 0 ? plan_->device_timeout_ms : -1); }

  void postprocess(int position, const std::vector<TensorView>& results) override {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      plan_->reductions[i].run(outputs_[i][static_cast<std::size_t>(position)], results[i]);
    }
  }

 private:
  std::shared_ptr<const WorkerPlan> plan_;
  vart::Runner runner_;
  Inputs preprocess_;
  std::vector<std::vector<TensorView>> inputs_;   // per position in the batch, per input
  std::vector<std::vector<TensorView>> outputs_;  // per output, per position in the batch
  std::vector<TensorInfo> results_;
};

}  // namespace

std::unique_ptr<Worker> make_device_worker(std::shared_ptr<const WorkerPlan> plan) {
  return std::make_unique<DeviceWorker>(std::move(plan));
}

}  // namespace nerone::pipeline
