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
  while (!seats_.empty()) {
    seat_left_.wait_for(lock, pause);
    const auto oldest = (Clock::now() - limit).time_since_epoch().count();
    std::shared_ptr<Seat> stuck;
    for (const auto& seat : seats_) {
      auto expected = Seat::Place::device;
      if (seat->place.load() != expected || seat->in_device_since.load() > oldest) continue;
      if (!seat->place.compare_exchange_strong(expected, Seat::Place::lost)) continue;
      stuck = seat;
      break;
    }
    if (!stuck) continue;
    lock.unlock();
    give_up(*stuck);
    lock.lock();
  }
}

// Takes the jobs from a worker that is lost, and puts another one in its place.
void Core::give_up(Seat& seat) {
  const auto error = std::make_exception_ptr(
      DeviceError("the device did not finish a job in time (" + std::to_string(options_.device_timeout_ms) +
                  " ms are allowed); its runner was replaced, check the device or allow more time"));
  const auto now = Clock::now();
  for (auto* job : seat.jobs) {
    if (!job->error) job->error = error;
    job->executed = now;
  }
  complete(seat);
  const std::lock_guard lock(mutex_);
  replace(seat);
}

void Core::replace(Seat& seat) {
  const auto place = find_seat(seat);
  if (place == seats_.end()) return;
  (*place)->thread.detach();
  if (!seat.returned) ++hanging_;
  ++counters_.workers_replaced;
  const auto index = seat.index;
  seats_.erase(place);
  if (hanging_ > most_hanging) {
    break_down(
        std::make_exception_ptr(DeviceError("the device has stopped answering, " + std::to_string(hanging_) +
                                            " jobs hang in it; restart the device, then open the pipeline again")));
  } else if (!broken_ && !(closed_ && queue_.empty())) {
    try {
      start_thread(new_seat(index));
    } catch (const std::exception& error) {
      // The others go on.
      if (seats_.empty()) {
        break_down(std::make_exception_ptr(
            DeviceError(std::string("a runner whose device did not answer could not be replaced: ") + error.what())));
      }
    }
  }
  seat_left_.notify_all();
}

std::vector<std::shared_ptr<Seat>>::iterator Core::find_seat(const Seat& seat) {
  return std::find_if(seats_.begin(), seats_.end(), [&](const auto& candidate) { return candidate.get() == &seat; });
}

void Core::leave(Seat& seat) {
  const std::lock_guard lock(mutex_);
  const auto place = find_seat(seat);
  if (seat.place.load() == Seat::Place::lost) {
    if (place != seats_.end()) {
      seat.returned = true;
    } else {
      --hanging_;
    }
    return;
  }
  if (place == seats_.end()) return;
  ended_.push_back(std::move(seat.thread));
  seats_.erase(place);
  seat_left_.notify_all();
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
  room_.tell();
  work_.notify_all();
  done_.tell();
}

// With the lock held. Nothing more can be done: every frame that waits fails.
void Core::break_down(const std::exception_ptr& reason) {
  broken_ = reason;
  fail_queue(reason);
}

}  // namespace nerone::pipeline
