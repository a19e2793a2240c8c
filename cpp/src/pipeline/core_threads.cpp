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

std::shared_ptr<WorkerSlot> Core::new_slot(std::size_t index) {
  auto slot = std::make_shared<WorkerSlot>();
  slot->index = index;
  slot->jobs.reserve(batch_);
  return slot;
}

void Core::run_thread(const std::shared_ptr<WorkerSlot>& slot) {
  if (!options_.pin_to.empty()) pin_to(options_.pin_to[slot->index % options_.pin_to.size()]);
  std::string failure;
  try {
    if (!slot->worker) slot->worker = factory_();
    if (!slot->worker) throw DeviceError("the worker factory of the pipeline gave no worker");
    work(*slot);
  } catch (const std::exception& error) {
    failure = error.what();
  } catch (...) {
    failure = "unknown error";
  }
  slot->worker.reset();
  if (!failure.empty()) {
    const std::lock_guard lock(mutex_);
    const bool is_last = slots_.size() == 1;
    if (is_last) {
      break_down(std::make_exception_ptr(
          DeviceError("a runner whose device did not answer could not be replaced: " + failure)));
    }
  }
  leave(*slot);
}

void Core::work(WorkerSlot& slot) {
  while (take_jobs(slot)) {
    preprocess(slot);
    if (!execute(slot)) return;
    postprocess(slot);
    complete(slot);
  }
}

bool Core::take_jobs(WorkerSlot& slot) {
  slot.jobs.clear();
  std::unique_lock lock(mutex_);
  work_.wait(lock, [&] { return !queue_.empty() || closed_ || broken_; });
  if (queue_.empty()) return false;
  while (!queue_.empty() && slot.jobs.size() < batch_) {
    auto* job = queue_.pop();
    job->phase = Job::Phase::running;
    job->started = Clock::now();
    slot.jobs.push_back(job);
  }
  const bool notify_now = room_.must_notify(may_notify_late());
  lock.unlock();
  if (notify_now) room_.notify();
  return true;
}

void Core::preprocess(WorkerSlot& slot) {
  int image = 0;
  for (auto* job : slot.jobs) {
    try {
      slot.worker->preprocess(*job->frame, image++);
    } catch (...) {
      job->error = std::current_exception();
    }
    job->preprocessed = Clock::now();
  }
}

// False when the jobs were taken away meanwhile: they are others' by now, and the device may still write.
bool Core::execute(WorkerSlot& slot) {
  const auto failed = [](const Job* job) { return job->error != nullptr; };
  if (std::all_of(slot.jobs.begin(), slot.jobs.end(), failed)) return true;
  slot.in_device_since.store(now_ticks());
  slot.place.store(WorkerSlot::Place::device);
  std::exception_ptr error;
  bool late = false;
  try {
    slot.worker->execute();
  } catch (const TimeoutError&) {
    late = true;
  } catch (...) {
    error = std::current_exception();
  }
  auto expected = WorkerSlot::Place::device;
  if (!slot.place.compare_exchange_strong(expected, late ? WorkerSlot::Place::lost : WorkerSlot::Place::host))
    return false;
  if (late) {
    give_up(slot);
    return false;
  }
  const auto executed = Clock::now();
  for (auto* job : slot.jobs) {
    job->executed = executed;
    if (error && !job->error) job->error = error;
  }
  return true;
}

void Core::postprocess(WorkerSlot& slot) {
  int image = 0;
  for (auto* job : slot.jobs) {
    const int current = image++;
    if (job->error) continue;
    try {
      job->result = pool_->acquire();
      slot.worker->postprocess(current, job->result.outputs());
    } catch (...) {
      job->error = std::current_exception();
      job->result = Result();
    }
  }
}

void Core::complete(WorkerSlot& slot) {
  for (auto* job : slot.jobs) job->frame.reset();
  Notify notify;
  bool notify_now = false;
  for (auto* job : slot.jobs) {
    {
      const std::lock_guard lock(mutex_);
      notify = job->given_up ? Notify{} : job->notify;
      finish(*job);
      notify_now = notify_is_due() || notify_now;
    }
    if (notify.call != nullptr) notify.call(notify.context);
  }
  if (notify_now) done_.notify();
}

}  // namespace nerone::pipeline
