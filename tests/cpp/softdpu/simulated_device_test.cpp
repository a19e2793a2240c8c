#include "softdpu/plugin/simulated_device.hpp"

#include <gtest/gtest.h>

#include <atomic>
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

TEST(SimulatedDevice, LosesNoTimeToLateWakeUps) {
  // Two callers keep one core busy: the device's own rate, however late the host's threads wake up.
  SimulatedDevice device(1);
  constexpr int jobs = 60;
  const auto begin = Clock::now();
  std::thread other([&] {
    for (int i = 0; i < jobs / 2; ++i) device.run_job(milliseconds(4), {});
  });
  for (int i = 0; i < jobs / 2; ++i) device.run_job(milliseconds(4), {});
  other.join();
  const auto taken = std::chrono::duration<double>(Clock::now() - begin).count();
  EXPECT_GE(taken, jobs * 0.004);
  EXPECT_LE(taken, jobs * 0.004 * 3) << "on a machine that does other work";
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
