#include "pipeline/core.hpp"

#include <algorithm>
#include <nerone/error.hpp>
#include <new>
#include <string>
#include <system_error>

namespace nerone::pipeline {

namespace {

constexpr int most_workers = 1024;
constexpr int longest_queue = 1 << 20;

void check(const Options& options) {
  const auto expect = [](bool fits, const std::string& what) {
    if (!fits) throw ConfigurationError("a pipeline needs " + what);
  };
  expect(options.workers >= 1 && options.workers <= most_workers,
         "1 to 1024 workers, got " + std::to_string(options.workers));
  expect(options.queue_size >= 1 && options.queue_size <= longest_queue,
         "a queue of 1 to 1048576 frames, got " + std::to_string(options.queue_size));
  for (const auto core : options.pin_to) {
    const auto count = static_cast<int>(std::thread::hardware_concurrency());
    expect(core >= 0 && (count == 0 || core < count), "to be pinned to cores of this machine, got core " +
                                                          std::to_string(core) + " in pin_to, there are " +
                                                          std::to_string(count));
  }
}

const Options& checked(const Options& options) {
  check(options);
  return options;
}

}  // namespace

Core::Core(WorkerFactory factory, const Options& options)
    : factory_(std::move(factory)),
      options_(checked(options)),
      queue_(static_cast<std::size_t>(options.queue_size)),
      put_(1),
      completed_(1) {}

std::vector<std::unique_ptr<Worker>> Core::make_workers() const {
  std::vector<std::unique_ptr<Worker>> workers;
  try {
    for (int i = 0; i < options_.workers; ++i) {
      workers.push_back(factory_());
      if (!workers.back()) throw ConfigurationError("the worker factory of the pipeline gave no worker");
    }
  } catch (const std::bad_alloc&) {
    throw DeviceError("there is memory for " + std::to_string(workers.size()) + " of " +
                      std::to_string(options_.workers) + " workers, each with a runner; use fewer threads");
  }
  return workers;
}

void Core::start() {
  auto workers = make_workers();
  pool_ = std::make_shared<ResultPool>(workers.front()->results());
  inputs_ = workers.front()->inputs();
  batch_ = static_cast<std::size_t>(std::max(1, workers.front()->batch()));
  const auto limit = queue_.capacity() + batch_ * workers.size();
  put_ = Ring<Job*>(limit);
  completed_ = Ring<Job*>(limit);
  pool_->prepare(limit + workers.size() + 1);  // waiting to be collected, being written, and one in the caller's hands
  unused_.reserve(2 * limit);
  try {
    start_threads(std::move(workers));
  } catch (const std::system_error& error) {
    const auto started = slots_.size();
    close(false, Deadline(-1));
    throw DeviceError("the system gives the pipeline " + std::to_string(started) + " of " +
                      std::to_string(options_.workers) + " threads (" + error.what() +
                      "); use fewer threads, or raise the limits of this process");
  }
}

void Core::start_threads(std::vector<std::unique_ptr<Worker>> workers) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < workers.size(); ++i) {
    auto slot = new_slot(i);
    slot->worker = std::move(workers[i]);
    start_thread(slot);
  }
  if (options_.device_timeout_ms > 0) {
    watchdog_ = std::thread([core = shared_from_this()] { core->watch(); });
  }
}

// With the lock held, so that the thread finds its slot.
void Core::start_thread(const std::shared_ptr<WorkerSlot>& slot) {
  slots_.push_back(slot);
  try {
    slot->thread = std::thread([core = shared_from_this(), slot] { core->run_thread(slot); });
  } catch (...) {
    slots_.pop_back();
    throw;
  }
}

std::exception_ptr Core::refusal() const {
  if (broken_) return broken_;
  if (!closed_) return nullptr;
  return std::make_exception_ptr(QueueClosedError("the pipeline is closed and takes no more frames; open a new one"));
}

Job* Core::unused_job() {
  if (unused_.empty()) {
    jobs_.emplace_back();
    if (unused_.capacity() < jobs_.size()) unused_.reserve(2 * jobs_.size());
    return &jobs_.back();
  }
  auto* job = unused_.back();
  unused_.pop_back();
  return job;
}

Job* Core::submit(Frame frame, bool is_put, const Deadline& deadline, Notify notify) {
  process_.require("pipeline");
  if (!frame) throw ConfigurationError("a frame without an image was submitted");
  std::unique_lock lock(mutex_);
  const auto has_room = [&] { return !queue_.full() && (!is_put || put_in_flight_ < put_.capacity()); };
  const bool in_time = room_.wait(
      lock, deadline, [&] { return jobs_are_quick(); }, [&] { return closed_ || broken_ || has_room(); });
  if (const auto reason = refusal()) std::rethrow_exception(reason);
  if (!in_time) {
    throw TimeoutError("the pipeline is full: " + std::to_string(queue_.capacity()) +
                       " frames wait and none was taken in time; collect results, wait longer, or use more workers");
  }
  auto* job = unused_job();
  job->phase = Job::Phase::waiting;
  job->is_put = is_put;
  job->given_up = false;
  job->awaited = 0;
  job->frame = std::move(frame);
  job->notify = notify;
  job->submitted = Clock::now();
  if (is_put) {
    job->number = next_number_++;
    ++put_in_flight_;
    if (options_.order == Order::submitted) put_.push(job);
  }
  queue_.push(job);
  ++busy_;
  if (counters_.submitted++ == 0) counters_.first_submission = job->submitted;
  lock.unlock();
  work_.notify_one();
  return job;
}

bool Core::ready(const Job* job) {
  process_.require("pipeline");
  const std::lock_guard lock(mutex_);
  return job->phase == Job::Phase::done;
}

Outcome Core::wait(Job* job, const Deadline& deadline) {
  process_.require("pipeline");
  std::unique_lock lock(mutex_);
  ++job->awaited;
  const bool in_time = done_.wait(
      lock, deadline, [&] { return jobs_are_quick(); }, [&] { return job->phase == Job::Phase::done; });
  --job->awaited;
  if (!in_time) throw TimeoutError("the frame is not done in time; wait again");
  Outcome outcome{0, std::move(job->result), std::move(job->error)};
  recycle(*job);
  return outcome;
}

void Core::give_up_result(Job* job) {
  if (is_forked()) return;
  Result unread;
  const std::lock_guard lock(mutex_);
  if (job->phase == Job::Phase::done) {
    unread = std::move(job->result);
    recycle(*job);
  } else {
    job->given_up = true;
  }
}

Outcome Core::get(const Deadline& deadline) {
  process_.require("pipeline");
  std::unique_lock lock(mutex_);
  auto& list = options_.order == Order::submitted ? put_ : completed_;
  const auto is_there = [&] { return !list.empty() && list.front()->phase == Job::Phase::done; };
  const auto is_over = [&] { return (closed_ || broken_) && put_in_flight_ == 0; };
  ++getters_;
  const bool in_time = done_.wait(
      lock, deadline, [&] { return jobs_are_quick(); }, [&] { return is_there() || is_over(); });
  --getters_;
  if (!in_time) throw TimeoutError("no result came in time; put frames, or wait longer");
  if (!is_there()) std::rethrow_exception(refusal());
  auto* job = list.pop();
  Outcome outcome{job->number, std::move(job->result), std::move(job->error)};
  --put_in_flight_;
  recycle(*job);
  const bool notify_now = room_.must_notify(jobs_are_quick() && 2 * put_in_flight_ > put_.capacity());
  lock.unlock();
  if (notify_now) room_.notify();
  return outcome;
}

void Core::recycle(Job& job) {
  job.phase = Job::Phase::unused;
  job.error = nullptr;
  unused_.push_back(&job);
}

// With the lock held; the frame, and perhaps its pixels, were released before.
void Core::finish(Job& job) {
  const auto now = Clock::now();
  job.phase = Job::Phase::done;
  --busy_;
  mean_job_ += (now - job.started - mean_job_) / 8;
  counters_.last_completion = now;
  if (job.error) {
    ++counters_.failed;
  } else {
    ++counters_.completed;
    counters_.latency.add(now - job.submitted);
    counters_.queue.add(job.started - job.submitted);
    counters_.preprocess.add(job.preprocessed - job.started);
    counters_.device.add(job.executed - job.preprocessed);
    counters_.postprocess.add(now - job.executed);
  }
  if (job.is_put && options_.order == Order::completed) completed_.push(&job);
  unnotified_ = unnotified_ || is_awaited(job);
  if (!job.is_put && job.given_up) {
    job.result = Result();
    recycle(job);
  }
}

bool Core::is_awaited(const Job& job) const {
  const bool is_next = options_.order == Order::completed || (!put_.empty() && put_.front() == &job);
  return job.awaited > 0 || (getters_ > 0 && job.is_put && is_next) || (drainers_ > 0 && busy_ == 0);
}

// With the lock held: whether those that wait for frames have to be told now.
bool Core::notify_is_due() {
  if (!unnotified_ || !done_.must_notify(may_notify_late())) return false;
  unnotified_ = false;
  return true;
}

Stats Core::stats() {
  process_.require("pipeline");
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

void Core::reset_stats() {
  process_.require("pipeline");
  const std::lock_guard lock(mutex_);
  counters_ = {};
}

}  // namespace nerone::pipeline
