// The worker threads of a pipeline: what each does with the frames that it takes.

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <nerone/error.hpp>
#include <string>

#include "pipeline/core.hpp"

namespace nerone::pipeline {

namespace {

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
  if (!options_.pin_to.empty()) pin_to(options_.pin_to[seat->index % options_.pin_to.size()]);
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
  const bool tell = room_.must_tell(may_tell_late());
  lock.unlock();
  if (tell) room_.tell();
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
  bool tell = false;
  for (auto* job : seat.jobs) {
    {
      const std::lock_guard lock(mutex_);
      notify = job->given_up ? Notify{} : job->notify;
      finish(*job);
      tell = owes_telling() || tell;
    }
    if (notify.call != nullptr) notify.call(notify.context);
  }
  if (tell) done_.tell();
}

}  // namespace nerone::pipeline
