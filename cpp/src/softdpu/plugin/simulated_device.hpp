#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace nerone::softdpu {

// A board in time only: some cores, and jobs that occupy one for a latency. Jobs start in the order in which they came,
// at the moment their core becomes free, so that a late wake-up of the host does not slow the device down.
class SimulatedDevice {
 public:
  using Clock = std::chrono::steady_clock;

  // The process's device of so many cores; every runner that names the same number shares it.
  static std::shared_ptr<SimulatedDevice> shared(int cores);

  explicit SimulatedDevice(int cores);

  // Occupies a core for the latency, or for as long as `work` takes where that is longer, and returns then.
  // `work` may be empty. Thread-safe.
  void run_job(std::chrono::microseconds latency, const std::function<void()>& work);

 private:
  struct Slot {
    std::size_t core;
    Clock::time_point start;
  };
  class Occupation;

  Slot acquire();
  void release(const Slot& slot, Clock::time_point end);

  std::mutex mutex_;
  std::condition_variable turn_;
  std::uint64_t next_ticket_ = 0, serving_ = 0;
  std::vector<Clock::time_point> free_since_;
  std::vector<bool> busy_;
};

}  // namespace nerone::softdpu
