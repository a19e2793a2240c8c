// What a frame costs in steady state: nothing is allocated, and no image is copied.

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <nerone/model.hpp>
#include <nerone/pipeline.hpp>
#include <random>
#include <thread>

#include "allocations.hpp"
#include "copies.hpp"
#include "graphs.hpp"

namespace nerone::pipeline {
namespace {

using namespace testing;
using postprocess::Kind;

constexpr int patient_ms = 300'000;

struct Slice {
  std::vector<std::int16_t> values = std::vector<std::int16_t>(512 * 512);
  Images images = Images(1);
};

Frame random_slice(std::mt19937& random) {
  auto slice = std::make_shared<Slice>();
  for (auto& value : slice->values) value = static_cast<std::int16_t>(random() % 4096) - 1024;
  slice->images[0].views = {TensorView::contiguous(slice->values.data(), DType::int16, {512, 512})};
  return {slice, &slice->images};
}

struct Meeting {
  std::atomic<int> missing, inside;
};

// Holds each worker behind its first frame, which it releases when it has worked on it, until all of them had one.
void run_on_every_worker(Pipeline& pipeline, const Frame& frame, int workers) {
  Meeting meeting{{workers}, {workers}};
  const auto meet = [&meeting](const Images*) {
    for (--meeting.missing; meeting.missing > 0;) std::this_thread::yield();
    --meeting.inside;
  };
  std::vector<Ticket> tickets;
  for (int i = 0; i < workers; ++i) tickets.push_back(pipeline.submit(Frame(frame.get(), meet), patient_ms));
  while (meeting.inside > 0) std::this_thread::yield();
}

class SteadyState : public ::testing::TestWithParam<bool> {};

// The int8 path of a real model: a slice of another size goes through one pass into the runner's memory, and classes
// come out of it.
TEST_P(SteadyState, AllocatesAndCopiesNoFrame) {
  std::filesystem::path file;
  for (const auto& golden : xmodel::testing::golden_files()) {
    if (golden.filename() == "nerone_prostate_double.xmodel") file = golden;
  }
  if (file.empty()) GTEST_SKIP() << "no golden models; set NERONE_GOLDEN_DIR";
  std::mt19937 random{3};
  const auto input = Model::load(file).inputs()[0];
  preprocess::Resize resize;
  resize.height = static_cast<int>(input.shape[1]);
  resize.width = static_cast<int>(input.shape[2]);
  preprocess::Window window;
  window.low = -200;
  window.high = 400;
  DeviceOptions device;
  device.compute = GetParam();
  Options options;
  options.workers = 2;
  options.device_timeout_ms = 0;  // a frame takes seconds under qemu on a busy machine
  auto pipeline = open(file, {resize, window}, Kind::classes, device, options);
  const auto frame = random_slice(random);
  const auto run = [&] {
    for (int i = 0; i < 6; ++i) pipeline.submit(frame, patient_ms).wait(patient_ms);
  };
  run_on_every_worker(pipeline, frame, options.workers);
  run();
  const auto allocations = allocation_count();
  const auto copies = large_copy_count();
  run();
  EXPECT_EQ(allocation_count() - allocations, 0U);
  EXPECT_EQ(large_copy_count() - copies, 0U);
  std::vector<char> from(1 << 20), to(1 << 20);
  std::memcpy(to.data(), from.data(), from.size());
  EXPECT_EQ(to, from);
  EXPECT_GT(large_copy_count(), copies) << "copies are not counted";
}
INSTANTIATE_TEST_SUITE_P(ModelPipeline, SteadyState, ::testing::Bool());

}  // namespace
}  // namespace nerone::pipeline
