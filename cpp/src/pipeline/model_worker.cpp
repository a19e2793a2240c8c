#include <nerone/model.hpp>

#include "base/aligned_buffer.hpp"
#include "pipeline/worker_plan.hpp"

namespace nerone::pipeline {

namespace {

class Tensor {
 public:
  explicit Tensor(const TensorInfo& info)
      : memory_(static_cast<std::size_t>(size_bytes(info))),
        view(TensorView::contiguous(memory_.data(), info.dtype, info.shape)) {}

 private:
  AlignedBuffer memory_;

 public:
  TensorView view;
};

class ModelWorker : public Worker {
 public:
  explicit ModelWorker(std::shared_ptr<const WorkerPlan> plan)
      : plan_(std::move(plan)), model_(Model::of(plan_->model, plan_->device)), preprocess_(*plan_) {
    memory_.reserve(plan_->inputs.size() + plan_->outputs.size());
    for (const auto& tensor : plan_->inputs) {
      memory_.emplace_back(tensor);
      inputs_.push_back(memory_.back().view);
    }
    for (std::size_t i = 0; i < plan_->outputs.size(); ++i) {
      memory_.emplace_back(plan_->outputs[i]);
      outputs_.push_back(memory_.back().view);
      results_.push_back(plan_->reductions[i].result());
    }
  }

  std::vector<TensorInfo> inputs() const override { return plan_->inputs; }
  const std::vector<TensorInfo>& results() const override { return results_; }

  void preprocess(const Images& frame, int) override { preprocess_.run(frame, inputs_); }

  void execute() override { model_.run(inputs_, outputs_, plan_->job_timeout_ms); }

  void postprocess(int, const std::vector<TensorView>& results) override {
    for (std::size_t i = 0; i < outputs_.size(); ++i) plan_->reductions[i].run(outputs_[i], results[i]);
  }

 private:
  std::shared_ptr<const WorkerPlan> plan_;
  Model model_;
  Inputs preprocess_;
  std::vector<Tensor> memory_;
  std::vector<TensorView> inputs_;
  std::vector<TensorView> outputs_;
  std::vector<TensorInfo> results_;
};

}  // namespace

std::unique_ptr<Worker> make_model_worker(std::shared_ptr<const WorkerPlan> plan) {
  return std::make_unique<ModelWorker>(std::move(plan));
}

}  // namespace nerone::pipeline
