// The thread that watches the workers, and what happens to those whose device does not answer.

#include <algorithm>
#include <nerone/error.hpp>
#include <string>

#include "pipeline/core.hpp"

namespace nerone::pipeline {

namespace {

// Threads that hang in a device and cannot be ended; with more, the device is taken for dead.
constexpr std::size_t most_hanging = 16;

}  // namespace

void Core::watch() {
  const auto limit = std::chrono::milliseconds(options_.device_timeout_ms);
  const auto pause = std::clamp(limit / 8, std::chrono::milliseconds(1), std::chrono::milliseconds(250));
  std::unique_lock lock(mutex_);
  while (!slots_.empty()) {
    slot_left_.wait_for(lock, pause);
    const auto oldest = (Clock::now() - limit).time_since_epoch().count();
    std::shared_ptr<WorkerSlot> stuck;
    for (const auto& slot : slots_) {
      auto expected = WorkerSlot::Place::device;
      if (slot->place.load() != expected || slot->in_device_since.load() > oldest) continue;
      if (!slot->place.compare_exchange_strong(expected, WorkerSlot::Place::lost)) continue;
      stuck = slot;
      break;
    }
    if (!stuck) continue;
    lock.unlock();
    give_up(*stuck);
    lock.lock();
  }
}

// Takes the jobs from a worker that is lost, and puts another one in its place.
void Core::give_up(WorkerSlot& slot) {
  const auto error = std::make_exception_ptr(
      DeviceError("the device did not finish a job in time (" + std::to_string(options_.device_timeout_ms) +
                  " ms are allowed); its runner was replaced, check the device or allow more time"));
  const auto now = Clock::now();
  for (auto* job : slot.jobs) {
    if (!job->error) job->error = error;
    job->executed = now;
  }
  complete(slot);
  const std::lock_guard lock(mutex_);
  replace(slot);
}

void Core::replace(WorkerSlot& slot) {
  const auto place = find_slot(slot);
  if (place == slots_.end()) return;
  (*place)->thread.detach();
  if (!slot.returned) ++hanging_;
  ++counters_.workers_replaced;
  const auto index = slot.index;
  slots_.erase(place);
  if (hanging_ > most_hanging) {
    break_down(
        std::make_exception_ptr(DeviceError("the device has stopped answering, " + std::to_string(hanging_) +
                                            " jobs hang in it; restart the device, then open the pipeline again")));
  } else if (!broken_ && !(closed_ && queue_.empty())) {
    try {
      start_thread(new_slot(index));
    } catch (const std::exception& error) {
      // The others go on.
      if (slots_.empty()) {
        break_down(std::make_exception_ptr(
            DeviceError(std::string("a runner whose device did not answer could not be replaced: ") + error.what())));
      }
    }
  }
  slot_left_.notify_all();
}

std::vector<std::shared_ptr<WorkerSlot>>::iterator Core::find_slot(const WorkerSlot& slot) {
  return std::find_if(slots_.begin(), slots_.end(), [&](const auto& candidate) { return candidate.get() == &slot; });
}

void Core::leave(WorkerSlot& slot) {
  const std::lock_guard lock(mutex_);
  const auto place = find_slot(slot);
  if (slot.place.load() == WorkerSlot::Place::lost) {
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

// With the lock held.
void Core::fail_queue(const std::exception_ptr& reason) {
  while (!queue_.empty()) {
    auto* job = queue_.pop();
    job->error = reason;
    job->frame.reset();
    job->started = job->preprocessed = job->executed = job->submitted;
    finish(*job);
  }
  room_.notify();
  work_.notify_all();
  done_.notify();
}

// With the lock held. Nothing more can be done: every frame that waits fails.
void Core::break_down(const std::exception_ptr& reason) {
  broken_ = reason;
  fail_queue(reason);
}

}  // namespace nerone::pipeline
