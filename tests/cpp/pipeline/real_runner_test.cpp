// Many frames and threads over real runners of the software DPU and of a device that misbehaves. Also for the
// sanitizers, which the tests with workers of their own do not take through VART.

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <nerone/error.hpp>
#include <nerone/model.hpp>
#include <nerone/pipeline.hpp>
#include <random>
#include <thread>

#include "graphs.hpp"
#include "in_order.hpp"

namespace nerone::pipeline {
namespace {

using postprocess::Kind;

constexpr int patient_ms = 60'000;
constexpr std::size_t kinds_of_frame = 8;

struct Pixels {
  std::vector<float> values;
  Images images = Images(1);
};

class RealRunners : public ::testing::TestWithParam<const char*> {
 protected:
  RealRunners() {
    xmodel::write(xmodel::testing::compiled_graph(), file_);
    device_.kernels = GetParam();
    auto model = Model::load(file_, device_);
    const auto& input = model.inputs().front();
    const auto& output = model.outputs().front();
    for (std::size_t i = 0; i < kinds_of_frame; ++i) {
      auto pixels = std::make_shared<Pixels>();
      auto whole = TensorView::contiguous(nullptr, DType::float32, input.shape);
      pixels->values.resize(static_cast<std::size_t>(whole.element_count()));
      for (auto& value : pixels->values) value = std::ldexp(static_cast<float>(random_() % 255) - 127, -4);
      whole.data = pixels->values.data();
      auto one = whole.shape;
      one.erase(one.begin());
      pixels->images[0].views = {TensorView::contiguous(pixels->values.data(), DType::float32, one)};
      auto result = TensorView::contiguous(nullptr, output.dtype, output.shape);
      expected_.emplace_back(static_cast<std::size_t>(result.element_count()));
      result.data = expected_.back().data();
      model.run({whole}, {result});
      frames_.emplace_back(pixels, &pixels->images);
    }
  }

  bool is_expected(const Result& result, std::size_t frame) const {
    const auto& values = expected_[frame % kinds_of_frame];
    return std::memcmp(result.outputs()[0].data, values.data(), values.size() * sizeof(float)) == 0;
  }
  Options workers(int count) const {
    Options options;
    options.workers = count;
    return options;
  }

  xmodel::testing::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path / "net.xmodel";
  DeviceOptions device_;
  std::mt19937 random_{17};
  std::vector<Frame> frames_;
  std::vector<std::vector<float>> expected_;
};

TEST_P(RealRunners, FramesComeInOrderWithTheirOwnResults) {
  constexpr std::size_t total = 2'000;
  auto pipeline = open(file_, {}, Kind::raw, device_, workers(3));
  testing::InOrder in_order(pipeline);
  std::thread producer([&] {
    for (std::size_t i = 0; i < total; ++i) in_order.put(frames_[i % kinds_of_frame], patient_ms);
  });
  for (std::size_t i = 0; i < total; ++i) {
    const auto outcome = in_order.get(patient_ms);
    EXPECT_EQ(outcome.frame, i);
    EXPECT_TRUE(!outcome.error && is_expected(outcome.result, i)) << i;
  }
  producer.join();
}

TEST_P(RealRunners, ManyThreadsSubmitWaitAndGiveUp) {
  auto pipeline = open(file_, {}, Kind::raw, device_, workers(2));
  auto classes = open(file_, {}, Kind::classes, device_, workers(2));
  std::vector<std::thread> clients;
  std::atomic<int> wrong{0};
  for (std::size_t client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      for (std::size_t i = 0; i < 200; ++i) {
        const auto& frame = frames_[(client + i) % kinds_of_frame];
        auto other = classes.submit(frame, patient_ms);
        auto ticket = pipeline.submit(frame, patient_ms);
        if (i % 5 != 0 && !is_expected(ticket.wait(patient_ms), client + i)) ++wrong;
        if (i % 3 == 0) other.wait(patient_ms);
      }
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  pipeline.drain(patient_ms);
  EXPECT_EQ(pipeline.stats().completed, 800U);
}

// Runners share one planned engine while any of them lives.
TEST_P(RealRunners, PipelinesOpenAndCloseAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (std::size_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::size_t i = 0; i < 5; ++i) {
        auto pipeline = open(file_, {}, Kind::raw, device_, workers(2));
        if (!is_expected(pipeline.submit(frames_[thread], patient_ms).wait(patient_ms), thread)) ++wrong;
        auto unread = pipeline.submit(frames_[thread], patient_ms);
        pipeline.close(i % 2 == 0, patient_ms);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(Kernels, RealRunners, ::testing::Values("auto", "scalar"));

class MisbehavingRunner : public ::testing::Test {
 protected:
  MisbehavingRunner() {
    xmodel::write(xmodel::testing::compiled_graph(), file_);
    const auto input = Model::load(file_).inputs().front();
    pixels_->values.resize(1024);
    pixels_->images[0].views = {TensorView::contiguous(pixels_->values.data(), DType::float32,
                                                       {input.shape[1], input.shape[2], input.shape[3]})};
  }

  Frame frame() const { return {pixels_, &pixels_->images}; }

  xmodel::testing::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path / "net.xmodel";
  std::shared_ptr<Pixels> pixels_ = std::make_shared<Pixels>();
};

// Every job is late: each one's runner is replaced, until the device is taken for dead.
TEST_F(MisbehavingRunner, LateJobsFailTheirFramesOnly) {
  Options options;
  options.workers = 2;
  options.device_timeout_ms = 20;
  auto pipeline = open(file_, {}, Kind::classes, {MISBEHAVING_RUNNER, "late", 0, 0, true}, options);
  for (int i = 0; i < 10; ++i) {
    EXPECT_THROW(pipeline.submit(frame(), patient_ms).wait(patient_ms), DeviceError);
  }
  EXPECT_GE(pipeline.stats().workers_replaced, 9U);
  pipeline.close(true, patient_ms);
}

TEST_F(MisbehavingRunner, AThrowingDeviceFailsEachFrame) {
  for (const auto* behaviour : {"throws in execute", "throws a number in execute", "refuses", "fails in wait"}) {
    auto pipeline = open(file_, {}, Kind::classes, {MISBEHAVING_RUNNER, behaviour, 0, 0, true});
    for (int i = 0; i < 5; ++i) {
      EXPECT_THROW(pipeline.submit(frame(), patient_ms).wait(patient_ms), DeviceError) << behaviour;
    }
    EXPECT_EQ(pipeline.stats().workers_replaced, 0U);
  }
}

}  // namespace
}  // namespace nerone::pipeline
