#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace nerone::pipeline {

using Clock = std::chrono::steady_clock;

// When a wait ends. A negative timeout never does.
class Deadline {
 public:
  explicit Deadline(int timeout_ms)
      : never_(timeout_ms < 0), at_(Clock::now() + std::chrono::milliseconds(never_ ? 0 : timeout_ms)) {}

  bool passed() const { return !never_ && Clock::now() >= at_; }

  // False when the deadline passed without `ready`.
  template <typename Ready>
  bool wait(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, Ready&& ready) const {
    if (!never_) return changed.wait_until(lock, at_, ready);
    changed.wait(lock, ready);
    return true;
  }

  // Until the next change, the deadline, or the end of `longest`.
  void sleep(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
             std::chrono::milliseconds longest) const {
    if (longest != std::chrono::milliseconds::max()) {
      const auto end = Clock::now() + longest;
      changed.wait_until(lock, never_ ? end : std::min(end, at_));
    } else if (never_) {
      changed.wait(lock);
    } else {
      changed.wait_until(lock, at_);
    }
  }

 private:
  bool never_;
  Clock::time_point at_;
};

}  // namespace nerone::pipeline
