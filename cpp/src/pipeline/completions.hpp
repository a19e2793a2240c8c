#pragma once

#include <mutex>
#include <nerone/process.hpp>
#include <vector>

#include "pipeline/batched_condition.hpp"
#include "pipeline/job_pool.hpp"
#include "pipeline/job_queue.hpp"
#include "pipeline/statistics.hpp"

namespace nerone::pipeline {

// Shows which jobs are done, counts them, and wakes those who wait for one, for any or for all.
class Completions {
 public:
  // A job's result, or its error.
  struct Outcome {
    Result result;
    std::exception_ptr error;
  };

  Completions(const JobQueue& queue, JobPool& jobs, Statistics& statistics)
      : queue_(queue), jobs_(jobs), statistics_(statistics) {}

  // Shows jobs as done, with what is in their `result` or `error`. Their frames, and perhaps the pixels, were released
  // before.
  void finish(const std::vector<Job*>& jobs);
  // The same for jobs that no worker has taken.
  void fail(const std::vector<Job*>& jobs, const std::exception_ptr& error);

  bool is_done(const Job& job) const;
  Outcome collect(Job& job, const Deadline& deadline);  // once; TimeoutError leaves the job as it is
  void give_up(Job& job);                               // instead of collecting it

  std::uint64_t count() const;
  bool wait_past(std::uint64_t seen, const Deadline& deadline);  // until count() is greater; false at the deadline
  void drain(const Deadline& deadline);                          // until all accepted jobs are done; TimeoutError

 private:
  bool is_awaited(const Job& job) const;
  bool notify_is_due();
  template <typename Ready>
  bool wait(std::unique_lock<std::mutex>& lock, int& waiting, const Deadline& deadline, Ready&& ready);

  const Process process_;
  const JobQueue& queue_;
  JobPool& jobs_;
  Statistics& statistics_;

  mutable std::mutex mutex_;  // protects the rest
  BatchedCondition done_;
  std::uint64_t count_ = 0;
  int watching_ = 0;         // threads in wait_past()
  int draining_ = 0;         // threads in drain()
  bool unnotified_ = false;  // a job that somebody waits for is done, and nobody was woken yet
};

}  // namespace nerone::pipeline
