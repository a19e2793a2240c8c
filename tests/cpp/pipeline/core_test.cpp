#include <gtest/gtest.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <nerone/error.hpp>
#include <set>
#include <thread>

#include "allocations.hpp"
#include "core_options.hpp"
#include "fake_worker.hpp"
#include "in_order.hpp"

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

TEST(Pipeline, TicketsKeepTheOrderOfSubmitting) {
  FakeDevice device;
  device.behaviour = [](std::int64_t job) { std::this_thread::sleep_for(milliseconds(job % 3)); };
  Pipeline pipeline(device.factory(), options_with(4));
  InOrder frames(pipeline);
  int collected = 0;
  for (int i = 0; i < 60; ++i) {
    frames.put(frame_of(i), patient_ms);
    if (i < 6) continue;
    const auto outcome = frames.get(patient_ms);
    EXPECT_EQ(outcome.frame, static_cast<std::uint64_t>(collected));
    EXPECT_EQ(number_in(outcome.result), collected++);
  }
}

// Frames are taken in order but their jobs start in any, so the slow one is whichever frame job 0 carries.
TEST(Pipeline, CountingWhatIsDoneDoesNotWaitForTheSlowOne) {
  FakeDevice device;
  std::mutex gate;
  device.behaviour = [&](std::int64_t job) {
    if (job == 0) const std::lock_guard wait_here(gate);
  };
  Pipeline pipeline(device.factory(), options_with(2));
  std::vector<Ticket> tickets;
  std::set<std::int64_t> collected;
  const auto collect_what_is_done = [&] {
    for (auto& ticket : tickets) {
      if (ticket.ready()) collected.insert(number_in(ticket.wait(0)));
    }
  };
  {
    const std::lock_guard closed(gate);
    for (int i = 0; i < 5; ++i) tickets.push_back(pipeline.submit(frame_of(i), patient_ms));
    for (std::uint64_t i = 0; i < 4; ++i) EXPECT_TRUE(pipeline.wait_past(i, patient_ms));
    collect_what_is_done();
    EXPECT_EQ(collected.size(), 4U);
    EXPECT_FALSE(pipeline.wait_past(4, 20));
  }
  EXPECT_TRUE(pipeline.wait_past(4, patient_ms));
  collect_what_is_done();
  EXPECT_EQ(collected, (std::set<std::int64_t>{0, 1, 2, 3, 4}));
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
    EXPECT_FALSE(pipeline.wait_past(0, 0));
  }
  EXPECT_EQ(number_in(tickets[0].wait(patient_ms)), 0);
  pipeline.drain(patient_ms);
  EXPECT_TRUE(tickets[2].ready());
}

TEST(Pipeline, TakesAsManyFramesAsItsLimitSays) {
  FakeDevice device;
  std::mutex gate;
  device.behaviour = [&](std::int64_t) { const std::lock_guard wait_here(gate); };
  Pipeline pipeline(device.factory(), options_with(2, 3));
  ASSERT_EQ(pipeline.in_flight_limit(), 5U);
  std::unique_lock closed(gate);
  std::vector<Ticket> tickets;
  for (int i = 0; i < 5; ++i) tickets.push_back(pipeline.submit(frame_of(i), patient_ms));
  EXPECT_THROW(pipeline.submit(frame_of(5), 50), TimeoutError);
  closed.unlock();
  EXPECT_EQ(number_in(tickets[0].wait(patient_ms)), 0);
  tickets.push_back(pipeline.submit(frame_of(5), patient_ms));
}

TEST(Pipeline, CloseFinishesWhatWaits) {
  FakeDevice device;
  device.behaviour = [](std::int64_t) { std::this_thread::sleep_for(milliseconds(30)); };
  Pipeline pipeline(device.factory(), options_with(1));
  std::vector<Ticket> tickets;
  for (int i = 0; i < 4; ++i) tickets.push_back(pipeline.submit(frame_of(i)));
  pipeline.close(true, patient_ms);
  EXPECT_THROW(pipeline.submit(frame_of(9)), QueueClosedError);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(number_in(tickets[i].wait(0)), static_cast<std::int64_t>(i));
  EXPECT_FALSE(pipeline.wait_past(4, 0));
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

TEST(Pipeline, CountsWhatIsDone) {
  FakeDevice device;
  device.behaviour = [](std::int64_t job) {
    if (job == 7) throw DeviceError("job 7 failed");
  };
  Pipeline pipeline(device.factory(), options_with(2));
  std::vector<Ticket> tickets;
  for (int i = 0; i < 20; ++i) {
    auto ticket = pipeline.submit(frame_of(i), patient_ms);
    if (i % 5 != 0) tickets.push_back(std::move(ticket));  // what is given up counts as well
  }
  pipeline.close(true, patient_ms);
  EXPECT_EQ(pipeline.done(), 20U);
}

// Threads that wait for any frame, for one of their own and for all of them, at once.
TEST(Pipeline, EveryWaitIsWoken) {
  FakeDevice device;
  Pipeline pipeline(device.factory(), options_with(2));
  constexpr int frames = 2'000;
  std::thread watcher([&] {
    for (std::uint64_t seen = 0; seen < frames; seen = pipeline.done()) {
      EXPECT_TRUE(pipeline.wait_past(seen, patient_ms));
    }
  });
  std::thread drainer([&] {
    while (pipeline.done() < frames) {
      EXPECT_NO_THROW(pipeline.drain(patient_ms));
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < frames; ++i) {
    auto ticket = pipeline.submit(frame_of(i), patient_ms);
    if (i % 3 == 0) {
      EXPECT_EQ(number_in(ticket.wait(patient_ms)), i);
    }
  }
  watcher.join();
  drainer.join();
  EXPECT_EQ(pipeline.done(), static_cast<std::uint64_t>(frames));
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
  std::array<Ticket, 4> tickets;
  const auto run = [&](int count) {
    for (int i = 0; i < count; ++i) {
      auto& ticket = tickets[static_cast<std::size_t>(i) % 4];
      if (i >= 4) ticket.wait(patient_ms);
      ticket = pipeline.submit(frames[static_cast<std::size_t>(i) % 8], patient_ms);
    }
    for (auto& ticket : tickets) ticket.wait(patient_ms);
    for (int i = 0; i < count; ++i) pipeline.submit(frames[0], patient_ms).wait(patient_ms);
  };
  run(200);
  const auto before = allocation_count();
  run(2000);
  EXPECT_EQ(allocation_count() - before, 0U);
}

}  // namespace
}  // namespace nerone::pipeline
