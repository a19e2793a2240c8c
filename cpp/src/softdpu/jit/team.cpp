#include "softdpu/jit/team.hpp"

#include <immintrin.h>

#include <nerone/error.hpp>
#include <string>
#include <system_error>

namespace nerone::softdpu::jit {
namespace {

// Some microseconds, longer than most steps' threads differ; who waits longer lets others have the processor.
constexpr int busy_turns = 2000;

}  // namespace

Team::Team(int threads) {
  try {
    for (int thread = 1; thread < threads; ++thread) helpers_.emplace_back([this, thread] { help(thread); });
  } catch (const std::system_error& error) {
    const auto made = helpers_.size();
    end();
    throw DeviceError("only " + std::to_string(made + 1) + " of " + std::to_string(threads) +
                      " threads for one image could be had (" + error.what() +
                      "); ask for fewer threads per image or raise the limit (ulimit -u, the container's pids)");
  }
}

Team::~Team() { end(); }

void Team::end() noexcept {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  for (auto& helper : helpers_) helper.join();
  helpers_.clear();
}

void Team::run(const std::function<void(int)>& work) {
  if (helpers_.empty()) return work(0);
  process_.require("model");
  share(work);
}

void Team::share(const std::function<void(int)>& work) noexcept {
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    ++round_;
  }
  changed_.notify_all();
  work(0);
  wait_for_all();
}

void Team::help(int thread) noexcept {
  std::uint64_t done = 0;
  while (true) {
    const std::function<void(int)>* work = nullptr;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ends_ || round_ != done; });
      if (ends_) return;
      done = round_;
      work = work_;
    }
    (*work)(thread);
    wait_for_all();
  }
}

void Team::wait_for_all() {
  if (helpers_.empty()) return;
  const auto meeting = meeting_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<std::uint32_t>(threads())) {
    arrived_.store(0, std::memory_order_relaxed);
    meeting_.store(meeting + 1, std::memory_order_release);
    return;
  }
  for (int turn = 0; meeting_.load(std::memory_order_acquire) == meeting; ++turn) {
    if (turn < busy_turns) {
      _mm_pause();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace nerone::softdpu::jit
