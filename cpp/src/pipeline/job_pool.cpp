#include "pipeline/job_pool.hpp"

namespace nerone::pipeline {

Job& JobPool::acquire() {
  const std::lock_guard lock(mutex_);
  if (unused_.empty()) {
    auto& job = jobs_.emplace_back();
    if (unused_.capacity() < jobs_.size()) unused_.reserve(2 * jobs_.size());  // for give_back
    return job;
  }
  auto* job = unused_.back();
  unused_.pop_back();
  return *job;
}

void JobPool::give_back(Job& job) {
  job.done = false;
  job.given_up = false;
  job.error = nullptr;
  const std::lock_guard lock(mutex_);
  unused_.push_back(&job);
}

}  // namespace nerone::pipeline
