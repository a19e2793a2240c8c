#include "softdpu/plugin/simulated_device.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <csignal>
#include <ctime>
#include <stdexcept>
#include <thread>

namespace nerone::softdpu {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Clock = SimulatedDevice::Clock;

TEST(SimulatedDevice, TakesTheLatencyOfOneJob) {
  SimulatedDevice device(1);
  const auto begin = Clock::now();
  device.run_job(milliseconds(20), {});
  EXPECT_GE(Clock::now() - begin, milliseconds(20));
}

TEST(SimulatedDevice, RunsAsManyJobsAtOnceAsItHasCores) {
  for (const int cores : {1, 2, 3}) {
    SimulatedDevice device(cores);
    std::atomic<int> running{0}, most{0};
    const auto begin = Clock::now();
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back([&] {
        device.run_job(milliseconds(10), [&] {
          const int now = ++running;
          for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
          }
          std::this_thread::sleep_for(milliseconds(3));
          --running;
        });
      });
    }
    for (auto& thread : threads) thread.join();
    const auto rounds = 6 / cores;
    EXPECT_LE(most, cores);
    EXPECT_GE(Clock::now() - begin, milliseconds(10 * rounds));
  }
}

constexpr milliseconds latency{200}, stall{600};

// How long after a stalled first job the second one, which waited for its core, came back.
Clock::duration second_behind_stalled_first() {
  SimulatedDevice device(1);
  std::atomic<bool> first_runs{false}, second_runs{false};
  Clock::time_point first_end, second_end;
  std::thread first([&] {
    first_runs = true;
    device.run_job(latency, {});
    first_end = Clock::now();
  });
  while (!first_runs) std::this_thread::yield();
  std::this_thread::sleep_for(latency / 4);
  std::thread second([&] {
    second_runs = true;
    device.run_job(latency, {});
    second_end = Clock::now();
  });
  while (!second_runs) std::this_thread::yield();
  ::pthread_kill(first.native_handle(), SIGUSR1);
  first.join();
  second.join();
  return second_end - first_end;
}

// A core is free from the end of its job, not from the late moment at which the host's thread says so. Where it were,
// the second job would come back a latency later, each time; that a busy machine held it up so long counts for nothing.
TEST(SimulatedDevice, LosesNoTimeToLateWakeUps) {
  std::signal(SIGUSR1, [](int) {
    const timespec duration{0, std::chrono::nanoseconds(stall).count()};
    ::nanosleep(&duration, nullptr);
  });
  constexpr int attempts = 10;
  int attempt = 0;
  for (; attempt < attempts; ++attempt) {
    const auto behind = second_behind_stalled_first();
    if (behind > Clock::duration::zero() && behind < latency / 2) break;
  }
  EXPECT_LT(attempt, attempts);
}

TEST(SimulatedDevice, OccupiesACoreForLongWork) {
  SimulatedDevice device(1);
  const auto begin = Clock::now();
  device.run_job(microseconds(100), [] { std::this_thread::sleep_for(milliseconds(5)); });
  EXPECT_GE(Clock::now() - begin, milliseconds(5));
}

TEST(SimulatedDevice, GivesTheCoreBackWhenWorkThrows) {
  SimulatedDevice device(1);
  EXPECT_THROW(device.run_job(microseconds(0), [] { throw std::runtime_error("failed"); }), std::runtime_error);
  device.run_job(microseconds(0), {});
}

TEST(SimulatedDevice, IsSharedByAllThatNameItsCores) {
  const auto one = SimulatedDevice::shared(2), two = SimulatedDevice::shared(2), other = SimulatedDevice::shared(1);
  EXPECT_EQ(one, two);
  EXPECT_NE(one, other);
}

}  // namespace
}  // namespace nerone::softdpu
