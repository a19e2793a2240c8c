// 200,000 frames through one pipeline (NERONE_PIPELINE_FRAMES for another number): none lost, none doubled, in order,
// with memory that stays flat, whatever the device does.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <nerone/error.hpp>
#include <thread>

#include "allocations.hpp"
#include "fake_worker.hpp"
#include "in_order.hpp"

namespace nerone::pipeline {
namespace {

using namespace testing;
using std::chrono::milliseconds;

constexpr int patient_ms = 60'000;
constexpr std::size_t frame_count = 16;

std::int64_t total_frames() {
  const char* text = std::getenv("NERONE_PIPELINE_FRAMES");
  return text == nullptr ? 200'000 : std::atoll(text);
}

struct Tally {
  std::int64_t good = 0, failed = 0;
};

// Submits from one thread and collects in this one; every outcome must be the next frame's.
Tally run_in_order(Pipeline& pipeline, std::int64_t total, std::atomic<std::int64_t>* collected = nullptr) {
  std::vector<Frame> frames;
  for (std::size_t i = 0; i < frame_count; ++i) frames.push_back(frame_of(static_cast<std::int64_t>(i)));
  InOrder in_order(pipeline);
  std::thread producer([&] {
    try {
      for (std::int64_t i = 0; i < total; ++i) {
        in_order.put(frames[static_cast<std::size_t>(i) % frame_count], patient_ms);
      }
    } catch (const QueueClosedError&) {  // after a failure
    }
  });
  Tally tally;
  for (std::int64_t i = 0; i < total; ++i) {
    const auto outcome = in_order.get(patient_ms);
    EXPECT_EQ(outcome.frame, static_cast<std::uint64_t>(i));
    if (collected != nullptr) ++*collected;
    if (outcome.error) {
      ++tally.failed;
    } else {
      EXPECT_EQ(number_in(outcome.result), i % static_cast<std::int64_t>(frame_count));
      ++tally.good;
    }
    if (::testing::Test::HasFailure()) {
      in_order.close(false, patient_ms);
      break;
    }
  }
  producer.join();
  return tally;
}

Options options_with(int workers, int device_timeout_ms = 10'000) {
  Options options;
  options.workers = workers;
  options.device_timeout_ms = device_timeout_ms;
  return options;
}

TEST(Endurance, EveryFrameComesOnceInOrderAndMemoryStaysFlat) {
  FakeDevice device;
  Pipeline pipeline(device.factory(), options_with(3));
  run_in_order(pipeline, 2'000);
  pipeline.reset_stats();
  const auto resident = resident_bytes();
  const auto tally = run_in_order(pipeline, total_frames() - 2'000);
  EXPECT_EQ(tally.good, total_frames() - 2'000);
  EXPECT_LT(resident_bytes(), resident + (4U << 20));
  const auto stats = pipeline.stats();
  std::cout << stats.fps << " frames/s through a device that takes no time, latency p50 " << stats.latency.p50_ms
            << " ms, p99 " << stats.latency.p99_ms << " ms\n";
}

TEST(Endurance, ADeviceThatFailsOneJobInAHundred) {
  FakeDevice device;
  device.behaviour = [](std::int64_t job) {
    if (job % 100 == 99) throw DeviceError("this job failed");
  };
  Pipeline pipeline(device.factory(), options_with(3));
  const auto resident = resident_bytes();
  const auto tally = run_in_order(pipeline, total_frames());
  EXPECT_EQ(tally.failed, total_frames() / 100);
  EXPECT_EQ(tally.good + tally.failed, total_frames());
  EXPECT_LT(resident_bytes(), resident + (8U << 20));
}

// Hanging jobs come back long after they were given up, while the pipeline runs on.
TEST(Endurance, ADeviceThatHangsAndAnswersLate) {
  FakeDevice device;
  constexpr std::int64_t hangs = 4;
  const auto every = total_frames() / hangs;
  std::atomic<std::int64_t> collected{0};
  device.behaviour = [&](std::int64_t job) {
    if (job % every != every / 2) return;
    while (collected < job + every / 4) std::this_thread::sleep_for(milliseconds(1));
  };
  {
    // A loaded machine may make an innocent job late, which must not be many.
    Pipeline pipeline(device.factory(), options_with(3, 500));
    const auto tally = run_in_order(pipeline, total_frames(), &collected);
    EXPECT_GE(tally.failed, hangs);
    EXPECT_LE(tally.failed, 10 * hangs);
    EXPECT_EQ(tally.good + tally.failed, total_frames());
    pipeline.close(true, patient_ms);
    EXPECT_EQ(pipeline.stats().workers_replaced, static_cast<std::uint64_t>(tally.failed));
  }
  while (device.workers_gone < device.workers_made) std::this_thread::sleep_for(milliseconds(1));
}

TEST(Endurance, AConsumerThatStopsMidway) {
  FakeDevice device;
  std::int64_t put = 0;
  {
    Pipeline pipeline(device.factory(), options_with(3));
    InOrder in_order(pipeline);
    const auto frame = frame_of(1);
    std::thread producer([&] {
      try {
        for (; put < total_frames(); ++put) in_order.put(frame, patient_ms);
      } catch (const QueueClosedError&) {
      }
    });
    for (std::int64_t i = 0; i < total_frames() / 2; ++i) in_order.get(patient_ms);
    in_order.close(true, patient_ms);
    producer.join();
    EXPECT_LE(put, total_frames() / 2 + static_cast<std::int64_t>(pipeline.in_flight_limit()));
  }
  EXPECT_EQ(device.workers_gone, device.workers_made);
}

TEST(Endurance, ManyThreadsSubmitAndWait) {
  FakeDevice device;
  Pipeline pipeline(device.factory(), options_with(3));
  std::vector<std::thread> clients;
  std::atomic<std::int64_t> wrong{0};
  for (std::int64_t client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      const auto frame = frame_of(client);
      for (std::int64_t i = 0; i < total_frames() / 20; ++i) {
        auto ticket = pipeline.submit(frame, patient_ms);
        if (i % 7 != 0 && number_in(ticket.wait(patient_ms)) != client) ++wrong;
      }
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace nerone::pipeline
