#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "pipeline/flow.hpp"
#include "pipeline/result_pool.hpp"

namespace nerone::pipeline {

// The work of one worker thread: takes jobs, prepares their frames, runs them on the device and reduces the outputs.
// The thread owns the jobs that it has taken until it is lost: then whoever found that fails them.
class WorkerLoop {
 public:
  enum class End {
    no_jobs,  // none will come any more
    late,     // the device was late, as its runner said: the loop is lost, its jobs are still to be failed
    lost      // while it was in the device, others gave it up
  };

  WorkerLoop(std::shared_ptr<Flow> flow, std::shared_ptr<ResultPool> results, std::size_t batch);

  End run(Worker& worker);

  // From any thread.
  bool is_lost() const { return place_ == Place::lost; }
  void lose() { place_ = Place::lost; }
  bool lose_if_in_device_since(Clock::time_point oldest);  // true for one caller only, who fails the jobs then
  void fail_jobs(const std::exception_ptr& error);         // of a loop that is lost

 private:
  enum class Place { host, device, lost };

  void preprocess(Worker& worker);
  bool all_failed() const;
  std::optional<End> execute(Worker& worker);  // nothing where the jobs go on
  void postprocess(Worker& worker);
  void complete();

  const std::shared_ptr<Flow> flow_;
  const std::shared_ptr<ResultPool> results_;
  const std::size_t batch_;
  std::vector<Job*> jobs_;
  std::atomic<Place> place_{Place::host};
  std::atomic<Clock::rep> in_device_since_{0};
};

}  // namespace nerone::pipeline
