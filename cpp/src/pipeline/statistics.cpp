#include "pipeline/statistics.hpp"

namespace nerone::pipeline {

void Statistics::count_submitted(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (counters_.submitted++ == 0) counters_.first_submission = now;
}

void Statistics::count_finished(const Job& job, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const auto mean = mean_job_.load(std::memory_order_relaxed);
  mean_job_.store(mean + ((now - job.started).count() - mean) / 8, std::memory_order_relaxed);
  counters_.last_completion = now;
  if (job.error) {
    ++counters_.failed;
    return;
  }
  ++counters_.completed;
  counters_.latency.add(now - job.submitted);
  counters_.queue.add(job.started - job.submitted);
  counters_.preprocess.add(job.preprocessed - job.started);
  counters_.device.add(job.executed - job.preprocessed);
  counters_.postprocess.add(now - job.executed);
}

void Statistics::count_replaced_worker() {
  const std::lock_guard lock(mutex_);
  ++counters_.workers_replaced;
}

Stats Statistics::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats;
  stats.submitted = counters_.submitted;
  stats.completed = counters_.completed;
  stats.failed = counters_.failed;
  stats.workers_replaced = counters_.workers_replaced;
  const bool ran = counters_.completed + counters_.failed > 0 && counters_.submitted > 0;
  if (ran) {
    stats.elapsed_s = std::chrono::duration<double>(counters_.last_completion - counters_.first_submission).count();
  }
  if (stats.elapsed_s > 0) stats.fps = static_cast<double>(stats.completed) / stats.elapsed_s;
  stats.latency = counters_.latency.durations();
  stats.queue = counters_.queue.durations();
  stats.preprocess = counters_.preprocess.durations();
  stats.device = counters_.device.durations();
  stats.postprocess = counters_.postprocess.durations();
  return stats;
}

void Statistics::reset() {
  const std::lock_guard lock(mutex_);
  counters_ = {};
}

}  // namespace nerone::pipeline
