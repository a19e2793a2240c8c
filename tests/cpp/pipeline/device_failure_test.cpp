// Devices that hang, come late or die, and threads that wait for frames meanwhile.

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <nerone/error.hpp>
#include <thread>

#include "core_options.hpp"
#include "fake_worker.hpp"

namespace nerone::pipeline {
namespace {

using namespace testing;
using std::chrono::milliseconds;

TEST(DeviceFailure, AStuckDeviceFailsItsFrameAndIsReplaced) {
  FakeDevice device;
  std::mutex gate;
  device.behaviour = [&](std::int64_t job) {
    if (job == 2) const std::lock_guard wait_here(gate);
  };
  auto options = options_with(1);
  options.device_timeout_ms = 1'000;  // no other job may be that late on a loaded machine
  {
    Pipeline pipeline(device.factory(), options);
    std::unique_lock closed(gate);
    std::vector<Ticket> tickets;
    for (int i = 0; i < 6; ++i) tickets.push_back(pipeline.submit(frame_of(i), patient_ms));
    EXPECT_THROW(tickets[2].wait(patient_ms), DeviceError);
    for (const std::size_t i : {0U, 1U, 3U, 4U, 5U}) EXPECT_EQ(number_in(tickets[i].wait(patient_ms)), i);
    EXPECT_EQ(pipeline.stats().workers_replaced, 1U);
    EXPECT_EQ(device.workers_made, 2);
  }
  while (device.workers_gone < 2) std::this_thread::sleep_for(milliseconds(1));
}

TEST(DeviceFailure, ATimeoutOfTheRunnerReplacesItToo) {
  FakeDevice device;
  device.behaviour = [](std::int64_t job) {
    if (job == 1) throw TimeoutError("late");
  };
  Pipeline pipeline(device.factory(), options_with(2));
  int failed = 0;
  std::vector<Ticket> tickets;
  for (int i = 0; i < 6; ++i) tickets.push_back(pipeline.submit(frame_of(i), patient_ms));
  for (auto& ticket : tickets) {
    try {
      ticket.wait(patient_ms);
    } catch (const DeviceError&) {
      ++failed;
    }
  }
  EXPECT_EQ(failed, 1);
  pipeline.close(true, patient_ms);
  EXPECT_EQ(pipeline.stats().workers_replaced, 1U);
}

TEST(DeviceFailure, ADeadDeviceFailsEveryFrame) {
  FakeDevice device;
  auto factory = device.factory();
  int made = 0;
  device.behaviour = [](std::int64_t) { throw TimeoutError("dead"); };
  Pipeline pipeline(
      [&] {
        if (made++ > 0) throw DeviceError("no device");
        return factory();
      },
      options_with(1));
  std::vector<Ticket> tickets;
  try {
    for (int i = 0; i < 4; ++i) tickets.push_back(pipeline.submit(frame_of(i), patient_ms));
  } catch (const DeviceError&) {
  }
  for (auto& ticket : tickets) EXPECT_THROW(ticket.wait(patient_ms), DeviceError);
  EXPECT_THROW(pipeline.submit(frame_of(9), patient_ms), DeviceError);
  EXPECT_EQ(pipeline.done(), tickets.size());
}

// A quick device's waiters are told late; a job that hangs behind a finished frame may not keep it back.
TEST(DeviceFailure, AHangingJobDoesNotKeepBackAFinishedFrame) {
  constexpr std::int64_t quick_jobs = 100;
  FakeDevice device;
  std::atomic<bool> asked{false}, released{false};
  device.behaviour = [&](std::int64_t job) {
    while (job == quick_jobs && !asked) std::this_thread::yield();
    if (job == quick_jobs) std::this_thread::sleep_for(milliseconds(1));  // until it is waited for
    while (job == quick_jobs + 1 && !released) std::this_thread::sleep_for(milliseconds(1));
  };
  Pipeline pipeline(device.factory(), options_with(1));
  for (std::int64_t i = 0; i < quick_jobs; ++i) pipeline.submit(frame_of(i), patient_ms).wait(patient_ms);
  std::vector<Ticket> tickets;
  for (std::int64_t i = 0; i < 9; ++i) tickets.push_back(pipeline.submit(frame_of(i), patient_ms));
  asked = true;
  EXPECT_EQ(number_in(tickets[0].wait(patient_ms)), 0);
  EXPECT_FALSE(released);
  EXPECT_THROW(tickets[1].wait(20), TimeoutError);
  released = true;
  for (std::size_t i = 1; i < tickets.size(); ++i) {
    EXPECT_EQ(number_in(tickets[i].wait(patient_ms)), static_cast<std::int64_t>(i));
  }
}

}  // namespace
}  // namespace nerone::pipeline
