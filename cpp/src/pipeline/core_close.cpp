// How a pipeline comes to its end.

#include <algorithm>
#include <nerone/error.hpp>
#include <string>

#include "pipeline/core.hpp"

namespace nerone::pipeline {

void Core::drain(const Deadline& deadline) {
  process_.require("pipeline");
  std::unique_lock lock(mutex_);
  ++drainers_;
  const bool in_time = done_.wait(
      lock, deadline, [&] { return jobs_are_quick(); }, [&] { return busy_ == 0; });
  --drainers_;
  if (!in_time) {
    throw TimeoutError(std::to_string(busy_) + " frames are not done in time; wait again");
  }
}

void Core::close(bool finish_waiting, const Deadline& deadline) {
  if (is_forked()) return;
  std::vector<std::thread> ended;
  std::unique_lock lock(mutex_);
  closed_ = true;
  if (!finish_waiting) {
    fail_queue(std::make_exception_ptr(QueueClosedError("the pipeline was closed before this frame had its turn")));
  }
  room_.notify();
  work_.notify_all();
  done_.notify();
  if (!deadline.wait(slot_left_, lock, [&] { return slots_.empty(); })) {
    throw TimeoutError("workers of the pipeline are still busy; wait again");
  }
  ended.swap(ended_);
  if (watchdog_.joinable()) ended.push_back(std::move(watchdog_));
  lock.unlock();
  for (auto& thread : ended) thread.join();
}

void Core::shut_down() {
  if (is_forked()) return;
  constexpr int grace_ms = 1000;
  constexpr int unwatched_ms = 10'000;
  const int wait_ms = options_.device_timeout_ms > 0 ? options_.device_timeout_ms + grace_ms : unwatched_ms;
  try {
    close(false, Deadline(wait_ms));
  } catch (const TimeoutError&) {
    std::unique_lock lock(mutex_);
    for (const auto& slot : slots_) slot->thread.detach();
    hanging_ += slots_.size();
    for (const auto& slot : slots_) slot->place.store(WorkerSlot::Place::lost);
    slots_.clear();
    for (auto& thread : ended_) thread.detach();
    ended_.clear();
    lock.unlock();
    slot_left_.notify_all();
    if (watchdog_.joinable()) watchdog_.join();
  }
}

}  // namespace nerone::pipeline
