#include "pipeline/completions.hpp"

#include <nerone/error.hpp>
#include <string>

namespace nerone::pipeline {

template <typename Ready>
bool Completions::wait(std::unique_lock<std::mutex>& lock, int& waiting, const Deadline& deadline, Ready&& ready) {
  ++waiting;
  const bool in_time = done_.wait(
      lock, deadline, [&] { return statistics_.jobs_are_quick(); }, ready);
  --waiting;
  return in_time;
}

void Completions::finish(const std::vector<Job*>& jobs) {
  const auto now = Clock::now();
  for (const auto* job : jobs) statistics_.count_finished(*job, now);
  bool notify_now = false;
  {
    const std::lock_guard lock(mutex_);
    for (auto* job : jobs) {
      ++count_;
      unnotified_ = unnotified_ || is_awaited(*job);
      job->done = true;
      if (!job->given_up) continue;
      job->result = Result();
      jobs_.give_back(*job);
    }
    notify_now = notify_is_due();
  }
  if (notify_now) done_.notify();
}

void Completions::fail(const std::vector<Job*>& jobs, const std::exception_ptr& error) {
  for (auto* job : jobs) {
    job->error = error;
    job->frame.reset();
    job->started = job->preprocessed = job->executed = job->submitted;
  }
  finish(jobs);
}

bool Completions::is_awaited(const Job& job) const {
  return job.awaited > 0 || watching_ > 0 || (draining_ > 0 && count_ == queue_.accepted());
}

// With the lock held: whether those who wait have to be woken now.
bool Completions::notify_is_due() {
  const bool may_be_late = statistics_.jobs_are_quick() && queue_.is_half_full();
  if (!unnotified_ || !done_.must_notify(may_be_late)) return false;
  unnotified_ = false;
  return true;
}

bool Completions::is_done(const Job& job) const {
  process_.require("pipeline");
  const std::lock_guard lock(mutex_);
  return job.done;
}

Completions::Outcome Completions::collect(Job& job, const Deadline& deadline) {
  process_.require("pipeline");
  std::unique_lock lock(mutex_);
  if (!wait(lock, job.awaited, deadline, [&] { return job.done; })) {
    throw TimeoutError("the frame is not done in time; wait again");
  }
  lock.unlock();
  Outcome outcome{std::move(job.result), std::move(job.error)};
  jobs_.give_back(job);
  return outcome;
}

void Completions::give_up(Job& job) {
  if (!process_.is_this()) return;
  {
    const std::lock_guard lock(mutex_);
    if (!job.done) {
      job.given_up = true;
      return;
    }
  }
  job.result = Result();
  jobs_.give_back(job);
}

std::uint64_t Completions::count() const {
  process_.require("pipeline");
  const std::lock_guard lock(mutex_);
  return count_;
}

bool Completions::wait_past(std::uint64_t seen, const Deadline& deadline) {
  process_.require("pipeline");
  std::unique_lock lock(mutex_);
  return wait(lock, watching_, deadline, [&] { return count_ > seen; });
}

void Completions::drain(const Deadline& deadline) {
  process_.require("pipeline");
  std::unique_lock lock(mutex_);
  if (!wait(lock, draining_, deadline, [&] { return count_ == queue_.accepted(); })) {
    throw TimeoutError(std::to_string(queue_.accepted() - count_) + " frames are not done in time; wait again");
  }
}

}  // namespace nerone::pipeline
