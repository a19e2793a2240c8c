// Pipelines of whole models on the software DPU, through the real libvart.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nerone/error.hpp>
#include <nerone/model.hpp>
#include <nerone/pipeline.hpp>
#include <random>

#include "graphs.hpp"
#include "pipeline/worker_plan.hpp"

namespace nerone::pipeline {
namespace {

using namespace testing;
using postprocess::Kind;

constexpr int patient_ms = 60'000;

struct Pixels {
  std::vector<float> values;
  Images images = Images(1);
};

// Real values that quantize to random int8 without rounding.
Frame random_frame(const TensorInfo& input, std::mt19937& random) {
  auto pixels = std::make_shared<Pixels>();
  pixels->values.resize(static_cast<std::size_t>(input.shape[1] * input.shape[2] * input.shape[3]));
  std::uniform_int_distribution<int> numbers(-128, 127);
  for (auto& value : pixels->values)
    value = std::ldexp(static_cast<float>(numbers(random)), -input.fix_point.value_or(0));
  pixels->images[0].views = {
      TensorView::contiguous(pixels->values.data(), DType::float32, {input.shape[1], input.shape[2], input.shape[3]})};
  return {pixels, &pixels->images};
}

std::vector<float> expected_output(Model& model, const Frame& frame) {
  const auto& input = model.inputs().front();
  const auto& output = model.outputs().front();
  auto view = TensorView::contiguous(frame->front().views[0].data, DType::float32, input.shape);
  std::vector<float> values(
      static_cast<std::size_t>(TensorView::contiguous(nullptr, output.dtype, output.shape).element_count()));
  model.run({view}, {TensorView::contiguous(values.data(), DType::float32, output.shape)});
  return values;
}

std::vector<int> first_maxima(const std::vector<float>& values, std::size_t channels) {
  std::vector<int> classes;
  for (auto pixel = values.begin(); pixel != values.end(); pixel += static_cast<std::ptrdiff_t>(channels)) {
    const auto end = pixel + static_cast<std::ptrdiff_t>(channels);
    classes.push_back(static_cast<int>(std::max_element(pixel, end) - pixel));
  }
  return classes;
}

class SmallModel : public ::testing::Test {
 protected:
  SmallModel() { xmodel::write(xmodel::testing::compiled_graph(), file_); }

  xmodel::testing::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path / "net.xmodel";
  std::mt19937 random_{11};
};

TEST_F(SmallModel, ClassesAreTheModelsFirstMaxima) {
  auto model = Model::load(file_);
  Options options;
  options.workers = 2;
  auto pipeline = open(file_, {}, Kind::classes, {}, options);
  ASSERT_EQ(pipeline.results()[0].dtype, DType::uint8);
  for (int i = 0; i < 50; ++i) {
    const auto frame = random_frame(model.inputs()[0], random_);
    const auto expected = first_maxima(expected_output(model, frame), 4);
    const auto result = pipeline.submit(frame, patient_ms).wait(patient_ms);
    const auto* classes = static_cast<const std::uint8_t*>(result.outputs()[0].data);
    EXPECT_EQ(std::vector<int>(classes, classes + expected.size()), expected);
  }
}

TEST_F(SmallModel, RawAndProbabilitiesAreTheModelsOutput) {
  auto model = Model::load(file_);
  auto raw = open(file_, {}, Kind::raw);
  auto probabilities = open(file_, {}, Kind::probabilities);
  for (int i = 0; i < 20; ++i) {
    const auto frame = random_frame(model.inputs()[0], random_);
    const auto expected = expected_output(model, frame);
    const auto exact = raw.submit(frame, patient_ms).wait(patient_ms);
    EXPECT_EQ(std::memcmp(exact.outputs()[0].data, expected.data(), expected.size() * sizeof(float)), 0);
    const auto close = probabilities.submit(frame, patient_ms).wait(patient_ms);
    const auto* values = static_cast<const float*>(close.outputs()[0].data);
    for (std::size_t k = 0; k < expected.size(); ++k) EXPECT_NEAR(values[k], expected[k], 1e-6);
  }
}

TEST_F(SmallModel, AFrameOfAnotherShapeFailsAlone) {
  auto pipeline = open(file_, {}, Kind::classes);
  auto model = Model::load(file_);
  auto larger = model.inputs()[0];
  larger.shape = {1, 5, 4, 1};
  auto wrong = pipeline.submit(random_frame(larger, random_), patient_ms);
  auto right = pipeline.submit(random_frame(model.inputs()[0], random_), patient_ms);
  EXPECT_THROW(wrong.wait(patient_ms), ShapeError);
  EXPECT_TRUE(right.wait(patient_ms));
}

TEST(ModelPipeline, RefusesWhatItCannotRun) {
  const xmodel::testing::TemporaryFolder folder;
  EXPECT_THROW(open(folder.path / "absent.xmodel", {}, Kind::classes), ModelError);
  xmodel::write(xmodel::testing::own_graph(), folder.path / "custom.xmodel");
  EXPECT_THROW(open(folder.path / "custom.xmodel", {}, Kind::raw), ModelError);
  xmodel::write(xmodel::testing::compiled_graph(), folder.path / "net.xmodel");
  DeviceOptions absent;
  absent.device = "/nonexistent/librunner.so";
  EXPECT_THROW(open(folder.path / "net.xmodel", {}, Kind::classes, absent), DeviceError);
}

// Workers, and those that replace them, share one opened file and with it the weights.
TEST_F(SmallModel, NoWorkerReadsTheFileAgain) {
  for (const auto kind : {Kind::classes, Kind::raw}) {
    const auto plan = plan_workers(file_, {{}}, kind, {}, 0);
    std::filesystem::rename(file_, folder_.path / "away.xmodel");
    for (int i = 0; i < 2; ++i) {
      EXPECT_NO_THROW(plan->dpu_subgraph.empty() ? make_model_worker(plan) : make_device_worker(plan));
    }
    EXPECT_EQ(plan->dpu_subgraph.empty(), kind == Kind::raw);
    std::filesystem::rename(folder_.path / "away.xmodel", file_);
  }
}

TEST(ModelPipeline, ChoosesItsWorkers) {
  DeviceOptions device;
  EXPECT_GE(default_workers(device), 1);
  device.cores = 2;
  EXPECT_EQ(default_workers(device), 4);
  device = {};
  device.device = "board";
  EXPECT_EQ(default_workers(device), 4);
}

}  // namespace
}  // namespace nerone::pipeline
