// The parts of a pipeline by themselves, without threads where none are needed.

#include <gtest/gtest.h>

#include <atomic>
#include <nerone/error.hpp>
#include <thread>

#include "core_options.hpp"
#include "pipeline/flow.hpp"
#include "pipeline/watchdog.hpp"

namespace nerone::pipeline {
namespace {

using namespace testing;
using std::chrono::milliseconds;

const Deadline at_once(0);

std::vector<Job*> pushed(Flow& flow, int count) {
  std::vector<Job*> jobs;
  for (int i = 0; i < count; ++i) {
    jobs.push_back(&flow.jobs.acquire());
    flow.queue.push(*jobs.back(), at_once);
  }
  return jobs;
}

TEST(JobQueue, HandsOutJobsInOrderAndInBatches) {
  Flow flow(4);
  const auto jobs = pushed(flow, 4);
  EXPECT_TRUE(flow.queue.is_half_full());
  std::vector<Job*> taken;
  ASSERT_TRUE(flow.queue.take(taken, 3));
  EXPECT_EQ(taken, std::vector<Job*>(jobs.begin(), jobs.begin() + 3));
  EXPECT_FALSE(flow.queue.is_half_full());
  ASSERT_TRUE(flow.queue.take(taken, 3));
  EXPECT_EQ(taken, std::vector<Job*>(jobs.begin() + 3, jobs.end()));
  EXPECT_EQ(flow.queue.accepted(), 4U);
}

TEST(JobQueue, PushWaitsForRoom) {
  Flow flow(1);
  pushed(flow, 1);
  auto& second = flow.jobs.acquire();
  EXPECT_THROW(flow.queue.push(second, at_once), TimeoutError);
  EXPECT_EQ(flow.queue.accepted(), 1U);
  std::thread taker([&] {
    std::vector<Job*> taken;
    EXPECT_TRUE(flow.queue.take(taken, 1));
  });
  flow.queue.push(second, Deadline(patient_ms));
  taker.join();
  EXPECT_EQ(flow.statistics.stats().submitted, 2U);
}

TEST(JobQueue, IsOverWhenItIsClosedAndEmpty) {
  Flow flow(4);
  pushed(flow, 1);
  flow.queue.close();
  EXPECT_THROW(pushed(flow, 1), QueueClosedError);
  EXPECT_FALSE(flow.queue.is_over());
  std::vector<Job*> taken;
  EXPECT_TRUE(flow.queue.take(taken, 1));
  EXPECT_TRUE(flow.queue.is_over());
  EXPECT_FALSE(flow.queue.take(taken, 1));
}

TEST(JobQueue, WithdrawsWhatWaits) {
  Flow closed(4), broken(4);
  const auto jobs = pushed(closed, 3);
  EXPECT_EQ(closed.queue.close_and_withdraw(), jobs);
  EXPECT_TRUE(closed.queue.is_over());
  const auto others = pushed(broken, 2);
  EXPECT_EQ(broken.queue.break_down(std::make_exception_ptr(DeviceError("dead"))), others);
  EXPECT_TRUE(broken.queue.is_over());
  EXPECT_THROW(pushed(broken, 1), DeviceError);
}

TEST(JobQueue, WakesThoseWhoWaitWhenItEnds) {
  Flow full(1), empty(1);
  pushed(full, 1);
  auto& late = full.jobs.acquire();
  std::thread pusher([&] { EXPECT_THROW(full.queue.push(late, Deadline(patient_ms)), DeviceError); });
  std::thread taker([&] {
    std::vector<Job*> taken;
    EXPECT_FALSE(empty.queue.take(taken, 1));
  });
  full.queue.break_down(std::make_exception_ptr(DeviceError("dead")));
  empty.queue.close();
  pusher.join();
  taker.join();
}

TEST(Completions, CountsAndHandsOutEachJobOnce) {
  Flow flow(8);
  const auto jobs = pushed(flow, 3);
  std::vector<Job*> taken;
  flow.queue.take(taken, 3);
  EXPECT_FALSE(flow.completions.is_done(*jobs[0]));
  EXPECT_THROW(flow.completions.collect(*jobs[0], at_once), TimeoutError);
  EXPECT_THROW(flow.completions.drain(at_once), TimeoutError);
  EXPECT_FALSE(flow.completions.wait_past(0, at_once));
  flow.completions.give_up(*jobs[1]);
  jobs[2]->error = std::make_exception_ptr(ShapeError("wrong"));
  flow.completions.finish(taken);
  EXPECT_EQ(flow.completions.count(), 3U);
  EXPECT_TRUE(flow.completions.wait_past(2, at_once));
  flow.completions.drain(at_once);
  EXPECT_EQ(flow.statistics.stats().completed, 2U);
  EXPECT_EQ(flow.statistics.stats().failed, 1U);
  EXPECT_TRUE(flow.completions.is_done(*jobs[2]));
  EXPECT_FALSE(flow.completions.collect(*jobs[0], at_once).error);
  EXPECT_TRUE(flow.completions.collect(*jobs[2], at_once).error);
  // All three are used again, without what they held.
  for (int i = 0; i < 3; ++i) {
    const auto& job = flow.jobs.acquire();
    EXPECT_TRUE(&job == jobs[0] || &job == jobs[1] || &job == jobs[2]);
    EXPECT_FALSE(job.done || job.given_up || job.error);
  }
}

TEST(Completions, FailsJobsThatNobodyTook) {
  Flow flow(8);
  const auto jobs = pushed(flow, 2);
  flow.completions.fail(flow.queue.close_and_withdraw(), std::make_exception_ptr(QueueClosedError("closed")));
  flow.completions.drain(at_once);
  for (auto* job : jobs) {
    EXPECT_THROW(std::rethrow_exception(flow.completions.collect(*job, at_once).error), QueueClosedError);
  }
}

TEST(Watchdog, LooksUntilItIsDestroyed) {
  constexpr milliseconds limit(16);
  std::atomic<int> looks{0};
  std::atomic<bool> early{false};
  {
    const Watchdog watchdog(limit, [&](Clock::time_point oldest) {
      early = early || oldest > Clock::now() - limit;
      ++looks;
    });
    while (looks < 3) std::this_thread::yield();
  }
  const int seen = looks;
  std::this_thread::sleep_for(2 * limit);
  EXPECT_EQ(looks, seen);
  EXPECT_FALSE(early);
}

}  // namespace
}  // namespace nerone::pipeline
