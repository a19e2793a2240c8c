#include "pipeline/worker_plan.hpp"
#include "vart/dpu_runner.hpp"

namespace nerone::pipeline {

namespace {

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
    const auto& subgraph = plan_->dpu_subgraph;
    for (const auto& tensor : plan_->inputs) {
      const auto views = views_of(vart::find_port(runner_.inputs(), tensor, plan_->inputs.size(), subgraph), tensor);
      inputs_.resize(views.size());
      for (std::size_t position = 0; position < views.size(); ++position) inputs_[position].push_back(views[position]);
    }
    for (std::size_t i = 0; i < plan_->outputs.size(); ++i) {
      const auto& tensor = plan_->outputs[i];
      outputs_.push_back(views_of(vart::find_port(runner_.outputs(), tensor, plan_->outputs.size(), subgraph), tensor));
      results_.push_back(plan_->reductions[i].result());
    }
  }

  int batch() const override { return static_cast<int>(inputs_.size()); }
  std::vector<TensorInfo> inputs() const override { return plan_->inputs; }
  const std::vector<TensorInfo>& results() const override { return results_; }

  void preprocess(const Images& frame, int position) override {
    preprocess_.run(frame, inputs_[static_cast<std::size_t>(position)]);
  }

  void execute() override { runner_.run(plan_->job_timeout_ms); }

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
