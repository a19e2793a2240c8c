#include <gtest/gtest.h>
#include <sched.h>

#include <chrono>
#include <mutex>
#include <nerone/error.hpp>
#include <set>
#include <thread>

#include "allocations.hpp"
#include "core_options.hpp"
#include "fake_worker.hpp"

namespace nerone::pipeline {
namespace {

using namespace testing;
using std::chrono::milliseconds;

TEST(Pipeline, TicketsBringTheirOwnFrames) {
  FakeDevice device;
  Pipeline pipeline(device.factory(), options_with(3, 100));
  std::vector<Ticket> tickets;
  for (int i = 0; i < 100; ++i) tickets.push_back(pipeline.submit(frame_of(i), patient_ms));
  for (int i = 99; i >= 0; --i) {
    EXPECT_EQ(number_in(tickets[static_cast<std::size_t>(i)].wait(patient_ms)), i);
  }
  EXPECT_THROW(tickets[0].wait(), ConfigurationError);
}

TEST(Pipeline, GetKeepsTheOrderOfPut) {
  FakeDevice device;
  device.behaviour = [](std::int64_t job) { std::this_thread::sleep_for(milliseconds(job % 3)); };
  Pipeline pipeline(device.factory(), options_with(4));
  int collected = 0;
  for (int i = 0; i < 60; ++i) {
    pipeline.put(frame_of(i), patient_ms);
    if (i < 6) continue;
    const auto outcome = pipeline.get(patient_ms);
    EXPECT_EQ(outcome.frame, static_cast<std::uint64_t>(collected));
    EXPECT_EQ(number_in(outcome.result), collected++);
  }
}

// Frames are taken in order but their jobs start in any, so the slow one is whichever frame job 0 carries.
TEST(Pipeline, GetAsCompletedDoesNotWaitForTheSlowOne) {
  FakeDevice device;
  std::mutex gate;
  device.behaviour = [&](std::int64_t job) {
    if (job == 0) const std::lock_guard wait_here(gate);
  };
  auto options = options_with(2);
  options.order = Order::completed;
  Pipeline pipeline(device.factory(), options);
  std::set<std::uint64_t> collected;
  {
    const std::lock_guard closed(gate);
    for (int i = 0; i < 5; ++i) pipeline.put(frame_of(i), patient_ms);
    for (int i = 0; i < 4; ++i) collected.insert(pipeline.get(patient_ms).frame);
    EXPECT_THROW(pipeline.get(20), TimeoutError);
  }
  collected.insert(pipeline.get(patient_ms).frame);
  EXPECT_EQ(collected, (std::set<std::uint64_t>{0, 1, 2, 3, 4}));
}

TEST(Pipeline, AFrameFailsAlone) {
  FakeDevice device;
  device.behaviour = [](std::int64_t job) {
    if (job == 1) throw DeviceError("job 1 failed");
  };
  Pipeline pipeline(device.factory(), options_with(1));
  auto empty = std::make_shared<const Images>(1);
  auto good = pipeline.submit(frame_of(1));
  auto failing = pipeline.submit(frame_of(2));
  auto wrong = pipeline.submit(empty);
  auto last = pipeline.submit(frame_of(3));
  EXPECT_EQ(number_in(good.wait(patient_ms)), 1);
  EXPECT_THROW(failing.wait(patient_ms), DeviceError);
  EXPECT_THROW(wrong.wait(patient_ms), ShapeError);
  EXPECT_EQ(number_in(last.wait(patient_ms)), 3);
  EXPECT_THROW(pipeline.submit(nullptr), ConfigurationError);
  const auto stats = pipeline.stats();
  EXPECT_EQ(stats.completed, 2U);
  EXPECT_EQ(stats.failed, 2U);
}

TEST(Pipeline, AFullQueueRefusesOrWaits) {
  FakeDevice device;
  std::mutex gate;
  device.behaviour = [&](std::int64_t) { const std::lock_guard wait_here(gate); };
  Pipeline pipeline(device.factory(), options_with(1, 2));
  std::vector<Ticket> tickets;
  {
    const std::lock_guard closed(gate);
    for (int i = 0; i < 3; ++i) tickets.push_back(pipeline.submit(frame_of(i), patient_ms));
    EXPECT_THROW(pipeline.submit(frame_of(3), 0), TimeoutError);
    EXPECT_THROW(pipeline.submit(frame_of(3), 20), TimeoutError);
    EXPECT_FALSE(tickets[0].ready());
    EXPECT_THROW(tickets[0].wait(0), TimeoutError);
    EXPECT_THROW(pipeline.drain(10), TimeoutError);
    EXPECT_THROW(pipeline.get(0), TimeoutError);
  }
  EXPECT_EQ(number_in(tickets[0].wait(patient_ms)), 0);
  pipeline.drain(patient_ms);
  EXPECT_TRUE(tickets[2].ready());
}

TEST(Pipeline, PutIsBoundedByWhatIsCollected) {
  FakeDevice device;
  Pipeline pipeline(device.factory(), options_with(2, 3));
  ASSERT_EQ(pipeline.in_flight_limit(), 5U);
  for (int i = 0; i < 5; ++i) pipeline.put(frame_of(i), patient_ms);
  EXPECT_THROW(pipeline.put(frame_of(5), 50), TimeoutError);
  EXPECT_EQ(pipeline.get(patient_ms).frame, 0U);
  pipeline.put(frame_of(5), patient_ms);
}

TEST(Pipeline, CloseFinishesWhatWaits) {
  FakeDevice device;
  device.behaviour = [](std::int64_t) { std::this_thread::sleep_for(milliseconds(30)); };
  Pipeline pipeline(device.factory(), options_with(1));
  for (int i = 0; i < 4; ++i) pipeline.put(frame_of(i));
  pipeline.close(true, patient_ms);
  EXPECT_THROW(pipeline.put(frame_of(9)), QueueClosedError);
  EXPECT_THROW(pipeline.submit(frame_of(9)), QueueClosedError);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(number_in(pipeline.get(0).result), i);
  EXPECT_THROW(pipeline.get(), QueueClosedError);
  pipeline.close();
  EXPECT_EQ(device.workers_made, device.workers_gone);
}

TEST(Pipeline, CloseDropsWhatWaitsAndFinishesWhatRuns) {
  FakeDevice device;
  std::mutex gate;
  device.behaviour = [&](std::int64_t) { const std::lock_guard wait_here(gate); };
  Pipeline pipeline(device.factory(), options_with(1));
  std::unique_lock closed(gate);
  std::vector<Ticket> tickets;
  for (int i = 0; i < 4; ++i) tickets.push_back(pipeline.submit(frame_of(i), patient_ms));
  while (device.jobs == 0) std::this_thread::yield();
  std::thread closer([&] { pipeline.close(false, patient_ms); });
  EXPECT_THROW(tickets[3].wait(patient_ms), QueueClosedError);
  closed.unlock();
  closer.join();
  EXPECT_EQ(number_in(tickets[0].wait(0)), 0);
  EXPECT_EQ(device.workers_made, device.workers_gone);
}

TEST(Pipeline, ResultsAndTicketsOutliveThePipeline) {
  FakeDevice device;
  Result kept;
  Ticket late;
  {
    Pipeline pipeline(device.factory(), options_with(1));
    kept = pipeline.submit(frame_of(42)).wait(patient_ms);
    late = pipeline.submit(frame_of(43), patient_ms);
    pipeline.drain(patient_ms);
    auto dropped = pipeline.submit(frame_of(44), patient_ms);
  }
  EXPECT_EQ(number_in(kept), 42);
  EXPECT_EQ(number_in(late.wait(0)), 43);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(kept.outputs()[0].data) % 64, 0U);
  EXPECT_THROW(Result().outputs(), ConfigurationError);
}

TEST(Pipeline, BatchesShareAJob) {
  FakeDevice device;
  device.batch = 4;
  std::mutex gate;
  device.behaviour = [&](std::int64_t) { const std::lock_guard wait_here(gate); };
  Pipeline pipeline(device.factory(), options_with(1, 16));
  std::vector<Ticket> tickets;
  {
    const std::lock_guard closed(gate);
    tickets.push_back(pipeline.submit(frame_of(0), patient_ms));
    while (device.jobs == 0) std::this_thread::yield();
    for (int i = 1; i < 9; ++i) {
      tickets.push_back(i == 5 ? pipeline.submit(std::make_shared<const Images>(1))
                               : pipeline.submit(frame_of(i), patient_ms));
    }
  }
  for (std::size_t i = 0; i < 9; ++i) {
    if (i == 5) {
      EXPECT_THROW(tickets[i].wait(patient_ms), ShapeError);
    } else {
      EXPECT_EQ(number_in(tickets[i].wait(patient_ms)), static_cast<std::int64_t>(i));
    }
  }
  EXPECT_EQ(device.jobs, 3);
}

TEST(Pipeline, NotifiesWhenAFrameIsDone) {
  FakeDevice device;
  std::atomic<int> notified{0};
  const Notify notify{[](void* context) { ++*static_cast<std::atomic<int>*>(context); }, &notified};
  Pipeline pipeline(device.factory(), options_with(2));
  std::vector<Ticket> tickets;
  for (int i = 0; i < 20; ++i) tickets.push_back(pipeline.submit(frame_of(i), patient_ms, notify));
  pipeline.close(true, patient_ms);
  EXPECT_EQ(notified, 20);
}

TEST(Pipeline, PinsItsThreads) {
  FakeDevice device;
  ::cpu_set_t allowed;
  ASSERT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
  int core = 0;
  while (!CPU_ISSET(static_cast<unsigned>(core), &allowed)) ++core;
  std::atomic<bool> elsewhere{false};
  device.behaviour = [&](std::int64_t) { elsewhere = elsewhere || ::sched_getcpu() != core; };
  auto options = options_with(2);
  options.pin_to = {core};
  Pipeline pipeline(device.factory(), options);
  for (int i = 0; i < 10; ++i) pipeline.submit(frame_of(i), patient_ms);
  pipeline.drain(patient_ms);
  EXPECT_FALSE(elsewhere);
}

TEST(Pipeline, RefusesOptionsThatCannotWork) {
  FakeDevice device;
  for (const auto& options : {options_with(0), options_with(-1), options_with(1, 0)}) {
    EXPECT_THROW(Pipeline(device.factory(), options), ConfigurationError);
  }
  auto pinned = options_with(1);
  pinned.pin_to = {1 << 20};
  EXPECT_THROW(Pipeline(device.factory(), pinned), ConfigurationError);
  EXPECT_THROW(Pipeline([]() -> std::unique_ptr<Worker> { throw DeviceError("none"); }, options_with(1)), DeviceError);
  EXPECT_THROW(Pipeline([]() -> std::unique_ptr<Worker> { return nullptr; }, options_with(1)), ConfigurationError);
}

TEST(Pipeline, SeveralPipelinesRunAtOnce) {
  FakeDevice one, other;
  Pipeline first(one.factory(), options_with(2));
  Pipeline second(other.factory(), options_with(2));
  for (int i = 0; i < 50; ++i) {
    auto a = first.submit(frame_of(i), patient_ms);
    auto b = second.submit(frame_of(1000 + i), patient_ms);
    EXPECT_EQ(number_in(a.wait(patient_ms)), i);
    EXPECT_EQ(number_in(b.wait(patient_ms)), 1000 + i);
  }
}

TEST(Pipeline, AllocatesNothingInSteadyState) {
  FakeDevice device;
  Pipeline pipeline(device.factory(), options_with(2, 4));
  std::vector<Frame> frames;
  for (int i = 0; i < 8; ++i) frames.push_back(frame_of(i));
  const auto run = [&](int count) {
    for (int i = 0; i < count; ++i) {
      pipeline.put(frames[static_cast<std::size_t>(i) % 8], patient_ms);
      if (i >= 4) pipeline.get(patient_ms);
    }
    for (int i = 0; i < 4; ++i) pipeline.get(patient_ms);
    for (int i = 0; i < count; ++i) pipeline.submit(frames[0], patient_ms).wait(patient_ms);
  };
  run(200);
  const auto before = allocation_count();
  run(2000);
  EXPECT_EQ(allocation_count() - before, 0U);
}

}  // namespace
}  // namespace nerone::pipeline
