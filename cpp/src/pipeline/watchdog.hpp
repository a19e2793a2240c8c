#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "pipeline/deadline.hpp"

namespace nerone::pipeline {

// A thread that looks, often enough, for what began longer than `limit` ago.
class Watchdog {
 public:
  // Calls `give_up_older(time)` on its thread until it is destroyed. std::system_error where there is no thread.
  Watchdog(std::chrono::milliseconds limit, std::function<void(Clock::time_point)> give_up_older);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();  // ends the thread and waits for it

 private:
  void watch();

  const std::chrono::milliseconds limit_;
  const std::function<void(Clock::time_point)> give_up_older_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace nerone::pipeline
