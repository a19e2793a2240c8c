#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <vector>

#include "pipeline/batched_condition.hpp"
#include "pipeline/job.hpp"
#include "pipeline/ring.hpp"
#include "pipeline/statistics.hpp"

namespace nerone::pipeline {

// Jobs that wait for a worker, first in, first out. Bounded: push waits while it is full.
class JobQueue {
 public:
  JobQueue(std::size_t capacity, Statistics& statistics) : statistics_(statistics), jobs_(capacity) {}

  // TimeoutError while it stays full, QueueClosedError after close, after break_down its reason.
  void push(Job& job, const Deadline& deadline);
  // Puts the next jobs, at most `most`, into `jobs`; waits for the first. False when no job will come any more.
  bool take(std::vector<Job*>& jobs, std::size_t most);

  void close();                                             // jobs that wait are still taken
  std::vector<Job*> close_and_withdraw();                   // jobs that wait are the caller's
  std::vector<Job*> break_down(std::exception_ptr reason);  // like that; nothing can be done any more

  std::size_t capacity() const { return jobs_.capacity(); }
  std::uint64_t accepted() const { return accepted_; }  // jobs so far
  bool is_over() const;                                 // no job will be taken any more
  // Whether workers have plenty to do, so that those who wait for them may be woken later.
  bool is_half_full() const { return 2 * size_.load(std::memory_order_relaxed) > capacity(); }

 private:
  std::exception_ptr refusal() const;
  std::vector<Job*> withdraw();
  bool may_notify_late() const { return statistics_.jobs_are_quick() && is_half_full(); }

  Statistics& statistics_;
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::size_t> size_{0};  // of jobs_
  mutable std::mutex mutex_;          // protects the rest
  BatchedCondition room_;             // the queue got shorter, or closed
  std::condition_variable work_;      // the queue got longer, or closed
  Ring<Job*> jobs_;
  bool closed_ = false;
  std::exception_ptr broken_;
};

}  // namespace nerone::pipeline
