#include "pipeline/job_queue.hpp"

#include <nerone/error.hpp>
#include <string>
#include <utility>

namespace nerone::pipeline {

std::exception_ptr JobQueue::refusal() const {
  if (broken_) return broken_;
  if (!closed_) return nullptr;
  return std::make_exception_ptr(QueueClosedError("the pipeline is closed and takes no more frames; open a new one"));
}

void JobQueue::push(Job& job, const Deadline& deadline) {
  {
    std::unique_lock lock(mutex_);
    const bool in_time = room_.wait(
        lock, deadline, [&] { return statistics_.jobs_are_quick(); },
        [&] { return closed_ || broken_ || !jobs_.full(); });
    if (const auto reason = refusal()) std::rethrow_exception(reason);
    if (!in_time) {
      throw TimeoutError("the pipeline is full: " + std::to_string(capacity()) +
                         " frames wait and none was taken in time; collect results, wait longer, or use more workers");
    }
    job.submitted = Clock::now();
    statistics_.count_submitted(job.submitted);
    ++accepted_;
    jobs_.push(&job);
    size_ = jobs_.size();
  }
  work_.notify_one();
}

bool JobQueue::take(std::vector<Job*>& jobs, std::size_t most) {
  jobs.clear();
  std::unique_lock lock(mutex_);
  work_.wait(lock, [&] { return !jobs_.empty() || closed_ || broken_; });
  if (jobs_.empty()) return false;
  while (!jobs_.empty() && jobs.size() < most) {
    jobs.push_back(jobs_.pop());
    jobs.back()->started = Clock::now();
  }
  size_ = jobs_.size();
  const bool notify_now = room_.must_notify(may_notify_late());
  lock.unlock();
  if (notify_now) room_.notify();
  return true;
}

// With the lock held.
std::vector<Job*> JobQueue::withdraw() {
  std::vector<Job*> jobs;
  while (!jobs_.empty()) jobs.push_back(jobs_.pop());
  size_ = 0;
  return jobs;
}

void JobQueue::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  room_.notify();
  work_.notify_all();
}

std::vector<Job*> JobQueue::close_and_withdraw() {
  std::vector<Job*> jobs;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    jobs = withdraw();
  }
  room_.notify();
  work_.notify_all();
  return jobs;
}

std::vector<Job*> JobQueue::break_down(std::exception_ptr reason) {
  std::vector<Job*> jobs;
  {
    const std::lock_guard lock(mutex_);
    broken_ = std::move(reason);
    jobs = withdraw();
  }
  room_.notify();
  work_.notify_all();
  return jobs;
}

bool JobQueue::is_over() const {
  const std::lock_guard lock(mutex_);
  return broken_ || (closed_ && jobs_.empty());
}

}  // namespace nerone::pipeline
