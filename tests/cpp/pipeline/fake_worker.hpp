#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <nerone/pipeline.hpp>

namespace nerone::pipeline::testing {

// A device that hands the frame's number through, and behaves as a test wants it to.
struct FakeDevice {
  FakeDevice() = default;
  FakeDevice(const FakeDevice&) = delete;
  FakeDevice& operator=(const FakeDevice&) = delete;
  ~FakeDevice();  // waits for the workers: one that was given up may outlive its pipeline

  // Called instead of computing, with the number of the job; may sleep or throw.
  std::function<void(std::int64_t job)> behaviour;
  int batch = 1;
  std::atomic<std::int64_t> jobs{0};
  std::atomic<int> workers_made{0}, workers_gone{0};

  WorkerFactory factory();
};

// One int64 pixel, the number.
Frame frame_of(std::int64_t number);
std::int64_t number_in(const Result& result);

}  // namespace nerone::pipeline::testing
