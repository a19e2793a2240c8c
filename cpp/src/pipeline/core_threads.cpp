// The worker threads of a pipeline, and the one that watches them.

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <nerone/error.hpp>
#include <string>

#include "pipeline/core.hpp"

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

Clock::rep now_ticks() { return Clock::now().time_since_epoch().count(); }

}  // namespace

std::shared_ptr<Seat> Core::new_seat(std::size_t index) {
  auto seat = std::make_shared<Seat>();
  seat->index = index;
  seat->jobs.reserve(batch_);
  return seat;
}

void Core::run_thread(const std::shared_ptr<Seat>& seat) {
  if (!options_.cores.empty()) pin_to(options_.cores[seat->index % options_.cores.size()]);
  std::string failure;
  try {
    if (!seat->worker) seat->worker = factory_();
    if (!seat->worker) throw DeviceError("the worker factory of the pipeline gave no worker");
    work(*seat);
  } catch (const std::exception& error) {
    failure = error.what();
  } catch (...) {
    failure = "unknown error";
  }
  seat->worker.reset();
  if (!failure.empty()) {
    const std::lock_guard lock(mutex_);
    const bool is_last = seats_.size() == 1;
    if (is_last) {
      break_down(std::make_exception_ptr(
          DeviceError("a runner whose device did not answer could not be replaced: " + failure)));
    }
  }
  leave(*seat);
}

void Core::work(Seat& seat) {
  while (take_jobs(seat)) {
    preprocess(seat);
    if (!execute(seat)) return;
    postprocess(seat);
    complete(seat);
  }
}

bool Core::take_jobs(Seat& seat) {
  seat.jobs.clear();
  std::unique_lock lock(mutex_);
  work_.wait(lock, [&] { return !queue_.empty() || closed_ || broken_; });
  if (queue_.empty()) return false;
  while (!queue_.empty() && seat.jobs.size() < batch_) {
    auto* job = queue_.pop();
    job->phase = Job::Phase::running;
    job->started = Clock::now();
    seat.jobs.push_back(job);
  }
  const bool one = seat.jobs.size() == 1;
  lock.unlock();
  one ? room_.notify_one() : room_.notify_all();
  return true;
}

void Core::preprocess(Seat& seat) {
  int image = 0;
  for (auto* job : seat.jobs) {
    try {
      seat.worker->preprocess(*job->frame, image++);
    } catch (...) {
      job->error = std::current_exception();
    }
    job->preprocessed = Clock::now();
  }
}

// False when the jobs were taken away meanwhile: they are others' by now, and the device may still write.
bool Core::execute(Seat& seat) {
  const auto failed = [](const Job* job) { return job->error != nullptr; };
  if (std::all_of(seat.jobs.begin(), seat.jobs.end(), failed)) return true;
  seat.in_device_since.store(now_ticks());
  seat.place.store(Seat::Place::device);
  std::exception_ptr error;
  bool late = false;
  try {
    seat.worker->execute();
  } catch (const TimeoutError&) {
    late = true;
  } catch (...) {
    error = std::current_exception();
  }
  auto expected = Seat::Place::device;
  if (!seat.place.compare_exchange_strong(expected, late ? Seat::Place::lost : Seat::Place::host)) return false;
  if (late) {
    give_up(seat);
    return false;
  }
  const auto executed = Clock::now();
  for (auto* job : seat.jobs) {
    job->executed = executed;
    if (error && !job->error) job->error = error;
  }
  return true;
}

void Core::postprocess(Seat& seat) {
  int image = 0;
  for (auto* job : seat.jobs) {
    const int current = image++;
    if (job->error) continue;
    try {
      job->result = pool_->acquire();
      seat.worker->postprocess(current, job->result.outputs());
    } catch (...) {
      job->error = std::current_exception();
      job->result = Result();
    }
  }
}

void Core::complete(Seat& seat) {
  for (auto* job : seat.jobs) job->frame.reset();
  Notify notify;
  for (auto* job : seat.jobs) {
    {
      const std::lock_guard lock(mutex_);
      notify = job->given_up ? Notify{} : job->notify;
      finish(*job);
    }
    if (notify.call != nullptr) notify.call(notify.context);
  }
  done_.notify_all();
}

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
    auto next = new_seat(index);
    seats_.push_back(next);
    next->thread = std::thread([core = shared_from_this(), next] { core->run_thread(next); });
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
  room_.notify_all();
  work_.notify_all();
  done_.notify_all();
}

// With the lock held. Nothing more can be done: every frame that waits fails.
void Core::break_down(const std::exception_ptr& reason) {
  broken_ = reason;
  fail_queue(reason);
}

void Core::drain(const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  if (!deadline.wait(done_, lock, [&] { return busy_ == 0; })) {
    throw TimeoutError(std::to_string(busy_) + " frames are not done in time; wait again");
  }
}

void Core::close(bool finish_waiting, const Deadline& deadline) {
  std::vector<std::thread> ended;
  std::unique_lock lock(mutex_);
  closed_ = true;
  if (!finish_waiting) {
    fail_queue(std::make_exception_ptr(QueueClosedError("the pipeline was closed before this frame had its turn")));
  }
  room_.notify_all();
  work_.notify_all();
  done_.notify_all();
  if (!deadline.wait(seat_left_, lock, [&] { return seats_.empty(); })) {
    throw TimeoutError("workers of the pipeline are still busy; wait again");
  }
  ended.swap(ended_);
  if (watchdog_.joinable()) ended.push_back(std::move(watchdog_));
  lock.unlock();
  for (auto& thread : ended) thread.join();
}

void Core::shut_down() {
  constexpr int grace_ms = 1000;
  constexpr int unwatched_ms = 10'000;
  const int wait_ms = options_.device_timeout_ms > 0 ? options_.device_timeout_ms + grace_ms : unwatched_ms;
  try {
    close(false, Deadline(wait_ms));
  } catch (const TimeoutError&) {
    std::unique_lock lock(mutex_);
    for (const auto& seat : seats_) seat->thread.detach();
    hanging_ += seats_.size();
    for (const auto& seat : seats_) seat->place.store(Seat::Place::lost);
    seats_.clear();
    for (auto& thread : ended_) thread.detach();
    ended_.clear();
    lock.unlock();
    seat_left_.notify_all();
    if (watchdog_.joinable()) watchdog_.join();
  }
}

}  // namespace nerone::pipeline
