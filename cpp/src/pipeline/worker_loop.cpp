#include "pipeline/worker_loop.hpp"

#include <algorithm>
#include <nerone/error.hpp>
#include <utility>

namespace nerone::pipeline {

WorkerLoop::WorkerLoop(std::shared_ptr<Flow> flow, std::shared_ptr<ResultPool> results, std::size_t batch)
    : flow_(std::move(flow)), results_(std::move(results)), batch_(batch) {
  jobs_.reserve(batch);
}

WorkerLoop::End WorkerLoop::run(Worker& worker) {
  while (flow_->queue.take(jobs_, batch_)) {
    preprocess(worker);
    if (!all_failed()) {
      if (const auto end = execute(worker)) return *end;
    }
    postprocess(worker);
    complete();
  }
  return End::no_jobs;
}

void WorkerLoop::preprocess(Worker& worker) {
  int position = 0;
  for (auto* job : jobs_) {
    try {
      worker.preprocess(*job->frame, position++);
    } catch (...) {
      job->error = std::current_exception();
    }
    job->preprocessed = Clock::now();
  }
}

bool WorkerLoop::all_failed() const {
  return std::all_of(jobs_.begin(), jobs_.end(), [](const Job* job) { return job->error != nullptr; });
}

// Where the loop is lost meanwhile, the jobs are others' by now, and the device may still write.
std::optional<WorkerLoop::End> WorkerLoop::execute(Worker& worker) {
  in_device_since_ = Clock::now().time_since_epoch().count();
  place_ = Place::device;
  std::exception_ptr error;
  bool late = false;
  try {
    worker.execute();
  } catch (const TimeoutError&) {
    late = true;
  } catch (...) {
    error = std::current_exception();
  }
  auto expected = Place::device;
  if (!place_.compare_exchange_strong(expected, late ? Place::lost : Place::host)) return End::lost;
  if (late) return End::late;
  const auto executed = Clock::now();
  for (auto* job : jobs_) {
    job->executed = executed;
    if (error && !job->error) job->error = error;
  }
  return std::nullopt;
}

void WorkerLoop::postprocess(Worker& worker) {
  int position = 0;
  for (auto* job : jobs_) {
    const int current = position++;
    if (job->error) continue;
    try {
      job->result = results_->acquire();
      worker.postprocess(current, job->result.outputs());
    } catch (...) {
      job->error = std::current_exception();
      job->result = Result();
    }
  }
}

void WorkerLoop::complete() {
  for (auto* job : jobs_) job->frame.reset();
  flow_->completions.finish(jobs_);
}

bool WorkerLoop::lose_if_in_device_since(Clock::time_point oldest) {
  auto expected = Place::device;
  if (place_ != expected || in_device_since_ > oldest.time_since_epoch().count()) return false;
  return place_.compare_exchange_strong(expected, Place::lost);
}

void WorkerLoop::fail_jobs(const std::exception_ptr& error) {
  const auto now = Clock::now();
  for (auto* job : jobs_) {
    if (!job->error) job->error = error;
    job->executed = now;
  }
  complete();
}

}  // namespace nerone::pipeline
