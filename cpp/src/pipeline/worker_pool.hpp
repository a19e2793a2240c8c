#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <nerone/pipeline.hpp>
#include <string>
#include <thread>
#include <vector>

#include "pipeline/flow.hpp"
#include "pipeline/result_pool.hpp"
#include "pipeline/watchdog.hpp"
#include "pipeline/worker_loop.hpp"

namespace nerone::pipeline {

// Worker threads, each with a runner of its own. One whose device does not answer is given up and replaced. Its thread
// cannot be ended: it shares the pool and may outlive the pipeline. Locks are taken in the order pool, queue,
// completions.
class WorkerPool : public std::enable_shared_from_this<WorkerPool> {
 public:
  WorkerPool(WorkerFactory factory, const Options& options, std::shared_ptr<Flow> flow);

  // What the factory throws; ConfigurationError where it gives no worker, DeviceError where memory or threads are
  // short. No thread is left then.
  void start();
  void join(const Deadline& deadline);  // waits until the threads end, as they do when the queue is over. TimeoutError
  void abandon();                       // instead of join: leaves behind the threads that hang

  const std::vector<TensorInfo>& inputs() const { return inputs_; }
  const std::vector<TensorInfo>& results() const { return results_->infos(); }
  std::size_t frames_in_work() const { return batch_ * static_cast<std::size_t>(options_.workers); }  // at most

 private:
  // A worker's place. `worker` is its thread's, the pool's lock protects `thread` and `returned`.
  struct Slot {
    Slot(std::size_t at, std::unique_ptr<Worker> made, const WorkerPool& pool)
        : index(at), worker(std::move(made)), loop(pool.flow_, pool.results_, pool.batch_) {}
    const std::size_t index;
    std::unique_ptr<Worker> worker;
    WorkerLoop loop;
    std::thread thread;
    bool returned = false;  // lost, but back before it was given up
  };
  using Slots = std::vector<std::shared_ptr<Slot>>;

  void start_threads(std::vector<std::unique_ptr<Worker>> workers);
  void start_thread(std::size_t index, std::unique_ptr<Worker> worker = nullptr);
  void run_thread(Slot& slot);
  void leave(Slot& slot);
  Slots::iterator find(const Slot& slot);

  void give_up_older(Clock::time_point oldest);
  void give_up(Slot& slot);
  void replace(Slot& slot);
  void break_down(const std::string& reason);

  const WorkerFactory factory_;
  const Options options_;
  const std::shared_ptr<Flow> flow_;
  std::vector<TensorInfo> inputs_;
  std::size_t batch_ = 1;
  std::shared_ptr<ResultPool> results_;

  std::mutex mutex_;  // protects the rest
  std::condition_variable slot_left_;
  Slots slots_;
  std::vector<std::thread> ended_;
  std::size_t hanging_ = 0;  // threads that were given up and have not come back
  std::unique_ptr<Watchdog> watchdog_;
};

}  // namespace nerone::pipeline
