#pragma once

#include <atomic>
#include <mutex>
#include <nerone/pipeline.hpp>

#include "pipeline/batched_condition.hpp"
#include "pipeline/histogram.hpp"
#include "pipeline/job.hpp"

namespace nerone::pipeline {

// Counts and times what passes through a pipeline. A job counts before it shows as done.
class Statistics {
 public:
  void count_submitted(Clock::time_point now);
  void count_finished(const Job& job, Clock::time_point now);
  void count_replaced_worker();

  Stats stats() const;
  void reset();

  // Whether jobs take so little time, of late, that waking a thread for each of them would cost as much.
  bool jobs_are_quick() const { return mean_job_.load(std::memory_order_relaxed) < quick_job; }

 private:
  struct Counters {
    std::uint64_t submitted = 0, completed = 0, failed = 0, workers_replaced = 0;
    Clock::time_point first_submission, last_completion;
    Histogram latency, queue, preprocess, device, postprocess;
  };
  static constexpr Clock::rep quick_job = std::chrono::duration_cast<Clock::duration>(BatchedCondition::slice).count();
  static constexpr Clock::rep first_guess = Clock::duration(std::chrono::milliseconds(1)).count();

  mutable std::mutex mutex_;
  Counters counters_;
  std::atomic<Clock::rep> mean_job_{first_guess};  // from a worker's taking a job to its end, of the last few
};

}  // namespace nerone::pipeline
