#include "pipeline/watchdog.hpp"

#include <algorithm>
#include <utility>

namespace nerone::pipeline {

Watchdog::Watchdog(std::chrono::milliseconds limit, std::function<void(Clock::time_point)> give_up_older)
    : limit_(limit), give_up_older_(std::move(give_up_older)), thread_([this] { watch(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void Watchdog::watch() {
  const auto pause = std::clamp(limit_ / 8, std::chrono::milliseconds(1), std::chrono::milliseconds(250));
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, pause, [this] { return stopped_; })) {
    lock.unlock();
    give_up_older_(Clock::now() - limit_);
    lock.lock();
  }
}

}  // namespace nerone::pipeline
