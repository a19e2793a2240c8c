#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <nerone/pipeline.hpp>
#include <thread>
#include <vector>

#include "base/process.hpp"
#include "pipeline/batched_condition.hpp"
#include "pipeline/histogram.hpp"
#include "pipeline/job.hpp"
#include "pipeline/result_pool.hpp"
#include "pipeline/ring.hpp"

namespace nerone::pipeline {

// A worker's place: its thread, its runner, and the jobs it has taken. The thread owns the jobs except between
// Core::give_up, which takes them away from a thread whose device does not answer, and that thread's end.
struct WorkerSlot {
  enum class Place : int { host, device, lost };

  std::size_t index = 0;
  bool returned = false;  // lost, but back before it was given up; protected by the core's mutex
  std::unique_ptr<Worker> worker;
  std::thread thread;
  std::vector<Job*> jobs;
  std::atomic<Place> place{Place::host};
  std::atomic<Clock::rep> in_device_since{0};
};

// Queue, jobs and workers of one pipeline. Worker threads share it, so that one that hangs in its device may outlive
// the pipeline. Everything below `mutex_` is protected by it.
class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(WorkerFactory factory, const Options& options);

  void start();  // DeviceError where the system does not give the threads; none is left then
  bool is_forked() const { return !process_.is_this(); }
  Job* submit(Frame frame, bool is_put, const Deadline& deadline, Notify notify);
  bool ready(const Job* job);
  Outcome wait(Job* job, const Deadline& deadline);
  void give_up_result(Job* job);
  Outcome get(const Deadline& deadline);
  void drain(const Deadline& deadline);
  void close(bool finish, const Deadline& deadline);
  void shut_down();  // for the destructor: like close, but leaves behind what hangs

  const std::vector<TensorInfo>& inputs() const { return inputs_; }
  const std::vector<TensorInfo>& results() const { return pool_->infos(); }
  std::size_t in_flight_limit() const { return put_.capacity(); }
  Stats stats();
  void reset_stats();

 private:
  struct Counters {
    std::uint64_t submitted = 0, completed = 0, failed = 0, workers_replaced = 0;
    Clock::time_point first_submission, last_completion;
    Histogram latency, queue, preprocess, device, postprocess;
  };

  std::vector<std::unique_ptr<Worker>> make_workers() const;
  void start_threads(std::vector<std::unique_ptr<Worker>> workers);
  void start_thread(const std::shared_ptr<WorkerSlot>& slot);
  std::shared_ptr<WorkerSlot> new_slot(std::size_t index);
  void run_thread(const std::shared_ptr<WorkerSlot>& slot);
  void work(WorkerSlot& slot);
  bool take_jobs(WorkerSlot& slot);
  void preprocess(WorkerSlot& slot);
  bool execute(WorkerSlot& slot);
  void postprocess(WorkerSlot& slot);
  void complete(WorkerSlot& slot);

  void watch();
  void give_up(WorkerSlot& slot);
  void replace(WorkerSlot& slot);
  void leave(WorkerSlot& slot);
  std::vector<std::shared_ptr<WorkerSlot>>::iterator find_slot(const WorkerSlot& slot);
  void fail_queue(const std::exception_ptr& reason);
  void break_down(const std::exception_ptr& reason);

  Job* unused_job();
  void finish(Job& job);
  void recycle(Job& job);
  std::exception_ptr refusal() const;
  bool jobs_are_quick() const { return mean_job_ < BatchedCondition::slice; }
  bool may_notify_late() const { return jobs_are_quick() && 2 * queue_.size() > queue_.capacity(); }
  bool is_awaited(const Job& job) const;
  bool notify_is_due();

  const Process process_;
  const WorkerFactory factory_;
  const Options options_;
  std::shared_ptr<ResultPool> pool_;
  std::size_t batch_ = 1;
  std::vector<TensorInfo> inputs_;

  std::mutex mutex_;
  BatchedCondition room_;              // the queue, or the list of put frames, got shorter
  std::condition_variable work_;       // the queue got longer, or closed
  BatchedCondition done_;              // a frame is done
  std::condition_variable slot_left_;  // a worker thread ended
  std::deque<Job> jobs_;               // addresses stay
  std::vector<Job*> unused_;
  Ring<Job*> queue_;
  Ring<Job*> put_;        // in the order of put
  Ring<Job*> completed_;  // put frames that are done, in the order of completion
  std::size_t put_in_flight_ = 0;
  std::uint64_t next_number_ = 0;
  std::size_t busy_ = 0;     // frames waiting or running
  int getters_ = 0;          // threads in get()
  int drainers_ = 0;         // threads in drain()
  bool unnotified_ = false;  // somebody's frame is done, and was not told yet
  Clock::duration mean_job_ =
      std::chrono::milliseconds(1);  // from a worker's taking a frame to its end, of the last few
  bool closed_ = false;
  std::exception_ptr broken_;
  std::vector<std::shared_ptr<WorkerSlot>> slots_;
  std::vector<std::thread> ended_;
  std::size_t hanging_ = 0;  // threads that were given up and have not come back
  std::thread watchdog_;
  Counters counters_;
};

}  // namespace nerone::pipeline
