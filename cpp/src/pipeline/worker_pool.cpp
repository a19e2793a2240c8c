#include "pipeline/worker_pool.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <nerone/error.hpp>
#include <new>
#include <system_error>
#include <utility>

namespace nerone::pipeline {

namespace {

// Threads that hang in a device and cannot be ended; with more, the device is taken for dead.
constexpr std::size_t most_hanging = 16;

// A container may forbid some of the machine's cores; then the system chooses, as without pinning.
void pin_to(int core) {
  ::cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(core), &set);
  ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
}

std::vector<std::unique_ptr<Worker>> make_workers(const WorkerFactory& factory, int count) {
  std::vector<std::unique_ptr<Worker>> workers;
  try {
    for (int i = 0; i < count; ++i) {
      workers.push_back(factory());
      if (!workers.back()) throw ConfigurationError("the worker factory of the pipeline gave no worker");
    }
  } catch (const std::bad_alloc&) {
    throw DeviceError("there is memory for " + std::to_string(workers.size()) + " of " + std::to_string(count) +
                      " workers, each with a runner; use fewer threads");
  }
  return workers;
}

}  // namespace

WorkerPool::WorkerPool(WorkerFactory factory, const Options& options, std::shared_ptr<Flow> flow)
    : factory_(std::move(factory)), options_(options), flow_(std::move(flow)) {}

void WorkerPool::start() {
  auto workers = make_workers(factory_, options_.workers);
  const auto& first = *workers.front();
  inputs_ = first.inputs();
  batch_ = static_cast<std::size_t>(std::max(1, first.batch()));
  results_ = std::make_shared<ResultPool>(first.results());
  // Waiting to be collected, being written, and one in the caller's hands.
  results_->prepare(flow_->queue.capacity() + frames_in_work() + workers.size() + 1);
  try {
    start_threads(std::move(workers));
  } catch (const std::system_error& error) {
    const auto started = slots_.size();
    flow_->queue.close();
    join(Deadline(-1));
    throw DeviceError("the system gives the pipeline " + std::to_string(started) + " of " +
                      std::to_string(options_.workers) + " threads (" + error.what() +
                      "); use fewer threads, or raise the limits of this process");
  }
}

void WorkerPool::start_threads(std::vector<std::unique_ptr<Worker>> workers) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < workers.size(); ++i) start_thread(i, std::move(workers[i]));
  if (options_.device_timeout_ms > 0) {
    // It ends with join or abandon, before the pool.
    watchdog_ = std::make_unique<Watchdog>(std::chrono::milliseconds(options_.device_timeout_ms),
                                           [this](Clock::time_point oldest) { give_up_older(oldest); });
  }
}

// With the lock held, so that the thread finds its slot. Without a worker, the thread makes one.
void WorkerPool::start_thread(std::size_t index, std::unique_ptr<Worker> worker) {
  auto slot = std::make_shared<Slot>(index, std::move(worker), *this);
  slots_.push_back(slot);
  try {
    slot->thread = std::thread([pool = shared_from_this(), slot] { pool->run_thread(*slot); });
  } catch (...) {
    slots_.pop_back();
    throw;
  }
}

void WorkerPool::run_thread(Slot& slot) {
  if (!options_.pin_to.empty()) pin_to(options_.pin_to[slot.index % options_.pin_to.size()]);
  std::string failure;
  try {
    if (!slot.worker) slot.worker = factory_();
    if (!slot.worker) throw DeviceError("the worker factory of the pipeline gave no worker");
    if (slot.loop.run(*slot.worker) == WorkerLoop::End::late) give_up(slot);
  } catch (const std::exception& error) {
    failure = error.what();
  } catch (...) {
    failure = "unknown error";
  }
  slot.worker.reset();
  if (!failure.empty()) {
    const std::lock_guard lock(mutex_);
    const bool is_last = slots_.size() == 1;
    if (is_last) break_down("a runner whose device did not answer could not be replaced: " + failure);
  }
  leave(slot);
}

void WorkerPool::leave(Slot& slot) {
  const std::lock_guard lock(mutex_);
  const auto place = find(slot);
  if (slot.loop.is_lost()) {
    if (place != slots_.end()) {
      slot.returned = true;
    } else {
      --hanging_;
    }
    return;
  }
  if (place == slots_.end()) return;
  ended_.push_back(std::move(slot.thread));
  slots_.erase(place);
  slot_left_.notify_all();
}

WorkerPool::Slots::iterator WorkerPool::find(const Slot& slot) {
  return std::find_if(slots_.begin(), slots_.end(), [&](const auto& candidate) { return candidate.get() == &slot; });
}

void WorkerPool::give_up_older(Clock::time_point oldest) {
  Slots lost;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& slot : slots_) {
      if (slot->loop.lose_if_in_device_since(oldest)) lost.push_back(slot);
    }
  }
  for (const auto& slot : lost) give_up(*slot);
}

// Fails the jobs of a worker that is lost, and puts another one in its place.
void WorkerPool::give_up(Slot& slot) {
  flow_->statistics.count_replaced_worker();
  slot.loop.fail_jobs(std::make_exception_ptr(
      DeviceError("the device did not finish a job in time (" + std::to_string(options_.device_timeout_ms) +
                  " ms are allowed); its runner was replaced, check the device or allow more time")));
  const std::lock_guard lock(mutex_);
  replace(slot);
}

void WorkerPool::replace(Slot& slot) {
  const auto place = find(slot);
  if (place == slots_.end()) return;
  slot.thread.detach();
  if (!slot.returned) ++hanging_;
  slots_.erase(place);
  if (hanging_ > most_hanging) {
    break_down("the device has stopped answering, " + std::to_string(hanging_) +
               " jobs hang in it; restart the device, then open the pipeline again");
  } else if (!flow_->queue.is_over()) {
    try {
      start_thread(slot.index);
    } catch (const std::exception& error) {
      // The others go on.
      if (slots_.empty()) {
        break_down(std::string("a runner whose device did not answer could not be replaced: ") + error.what());
      }
    }
  }
  slot_left_.notify_all();
}

// Nothing more can be done: every job that waits fails.
void WorkerPool::break_down(const std::string& reason) {
  const auto error = std::make_exception_ptr(DeviceError(reason));
  flow_->completions.fail(flow_->queue.break_down(error), error);
}

void WorkerPool::join(const Deadline& deadline) {
  std::vector<std::thread> ended;
  std::unique_ptr<Watchdog> watchdog;  // ends without the lock, which it takes
  std::unique_lock lock(mutex_);
  if (!deadline.wait(slot_left_, lock, [&] { return slots_.empty(); })) {
    throw TimeoutError("workers of the pipeline are still busy; wait again");
  }
  ended.swap(ended_);
  watchdog.swap(watchdog_);
  lock.unlock();
  for (auto& thread : ended) thread.join();
}

void WorkerPool::abandon() {
  std::unique_ptr<Watchdog> watchdog;
  const std::lock_guard lock(mutex_);
  for (const auto& slot : slots_) {
    slot->thread.detach();
    slot->loop.lose();
  }
  hanging_ += slots_.size();
  slots_.clear();
  for (auto& thread : ended_) thread.detach();
  ended_.clear();
  watchdog.swap(watchdog_);
}

}  // namespace nerone::pipeline
