#pragma once

// Threads that share the work on one image: the caller's and some of their own, which sleep between images.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <nerone/process.hpp>
#include <thread>
#include <vector>

namespace nerone::softdpu::jit {

class Team {
 public:
  // DeviceError where a thread cannot be created; none is left then.
  explicit Team(int threads);
  // Not in a forked child, which has none of the threads.
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Whether this process made it; a forked child may only leave it alone.
  bool is_here() const { return process_.is_this(); }
  int threads() const { return static_cast<int>(helpers_.size()) + 1; }

  // Every thread calls work with its number, the caller with 0; returns when all have. One call at a time. With more
  // than one thread an exception in the work ends the process. DeviceError in a forked child.
  void run(const std::function<void(int)>& work);

  // Within the work: returns when all threads have called it.
  void wait_for_all();

 private:
  void share(const std::function<void(int)>& work) noexcept;
  void help(int thread) noexcept;
  void end() noexcept;

  Process process_;
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void(int)>* work_ = nullptr;
  std::uint64_t round_ = 0;
  bool ends_ = false;
  std::atomic<std::uint32_t> arrived_{0}, meeting_{0};
  std::vector<std::thread> helpers_;
};

}  // namespace nerone::softdpu::jit
