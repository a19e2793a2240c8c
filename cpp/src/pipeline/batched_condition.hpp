#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "pipeline/deadline.hpp"

namespace nerone::pipeline {

// A condition whose waiters may be told late. Waking a sleeping thread costs the one that does it up to tens of
// microseconds, as much as a quick device takes for a whole frame and 1 % of one of 3 ms; while there is other work to
// do, several changes are told at once. A waiter that allows it looks by itself after `slice`, so that being told late
// never means not at all.
class BatchedCondition {
 public:
  static constexpr auto slice = std::chrono::milliseconds(4);

  // `may_be_late()` is asked before each sleep. False when the deadline passed without `ready()`.
  template <typename MayBeLate, typename Ready>
  bool wait(std::unique_lock<std::mutex>& lock, const Deadline& deadline, MayBeLate&& may_be_late, Ready&& ready) {
    while (!ready()) {
      if (deadline.passed()) return false;
      auto& sleepers = may_be_late() ? lenient_ : strict_;
      ++sleepers;
      deadline.sleep(changed_, lock, &sleepers == &lenient_ ? slice : std::chrono::milliseconds::max());
      --sleepers;
    }
    return true;
  }

  // With the lock held: whether notify() is due now, or may wait for the next change.
  bool must_notify(bool may_be_late) const { return strict_ > 0 || (lenient_ > 0 && !may_be_late); }
  void notify() { changed_.notify_all(); }

 private:
  std::condition_variable changed_;
  int lenient_ = 0;
  int strict_ = 0;
};

}  // namespace nerone::pipeline
