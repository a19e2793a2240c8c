#include "vart/dpu_runner.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <nerone/error.hpp>
#include <thread>

#include "files.hpp"

namespace nerone::vart {
namespace {

using testing::doubling_graph;
using testing::TemporaryModel;

DeviceOptions misbehaving(const std::string& behaviour) { return {MISBEHAVING_RUNNER, behaviour, 0, 0, true}; }

class DpuRunner : public ::testing::Test {
 protected:
  TemporaryModel file{doubling_graph()};
  xmodel::Handle model = xmodel::Handle::load(file.path);

  Runner create(const DeviceOptions& options = {}) const { return Runner::create(model, "dpu", options); }
};

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::int8_t* values(const Port& port) { return static_cast<std::int8_t*>(port.images.at(0).data); }

TEST_F(DpuRunner, DescribesItsPorts) {
  const auto runner = create();
  ASSERT_EQ(runner.inputs().size(), 1U);
  EXPECT_EQ(runner.inputs()[0].info.name, "x_t");
  EXPECT_EQ(runner.inputs()[0].info.shape, (std::vector<std::int64_t>{1, 2, 2, 1}));
  EXPECT_EQ(runner.outputs().at(0).info.fix_point, 4);
  EXPECT_EQ(runner.batch(), 1);
}

TEST_F(DpuRunner, RunsInItsOwnMemory) {
  auto runner = create();
  for (int i = 0; i < 4; ++i) values(runner.inputs()[0])[i] = static_cast<std::int8_t>(i - 2);
  runner.run();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(values(runner.outputs()[0])[i], 2 * (i - 2));
}

TEST_F(DpuRunner, RunsOnTheCallersBuffers) {
  auto runner = create();
  std::vector<std::int8_t> in = {1, 2, 3, 100}, out(4);
  runner.finish(runner.start_on({TensorView::contiguous(in.data(), DType::int8, {1, 2, 2, 1})},
                                {TensorView::contiguous(out.data(), DType::int8, {1, 2, 2, 1})}));
  EXPECT_EQ(out, (std::vector<std::int8_t>{2, 4, 6, 127}));
  std::vector<float> real_in = {1.9F, -1.9F, 3, 4}, real_out(4);
  runner.finish(runner.start_on({TensorView::contiguous(real_in.data(), DType::float32, {1, 2, 2, 1})},
                                {TensorView::contiguous(real_out.data(), DType::float32, {1, 2, 2, 1})}));
  EXPECT_EQ(real_out.size(), 4U);
}

TEST_F(DpuRunner, RefusesBuffersOfAnotherShapeOrDtype) {
  auto runner = create();
  std::vector<std::int16_t> buffer(64);
  const auto good = TensorView::contiguous(buffer.data(), DType::int8, {1, 2, 2, 1});
  const auto wide = TensorView::contiguous(buffer.data(), DType::int8, {1, 2, 4, 1});
  const auto other = TensorView::contiguous(buffer.data(), DType::int16, {1, 2, 2, 1});
  auto gaps = wide;
  gaps.shape[2] = 2;
  gaps.strides_bytes[2] = 2;
  EXPECT_THROW(runner.start_on({wide}, {good}), ShapeError);
  EXPECT_THROW(runner.start_on({gaps}, {good}), ShapeError);
  EXPECT_THROW(runner.start_on({good, good}, {good}), ShapeError);
  EXPECT_THROW(runner.start_on({good}, {}), ShapeError);
  EXPECT_THROW(runner.start_on({other}, {good}), DtypeError);
}

TEST_F(DpuRunner, SeveralRunInParallel) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      auto runner = create();
      for (int i = 0; i < 200; ++i) {
        values(runner.inputs()[0])[0] = static_cast<std::int8_t>((i + t) % 60);
        runner.run();
        wrong += values(runner.outputs()[0])[0] != 2 * ((i + t) % 60);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(DpuRunner, RefusesWhatVartWouldAbortFor) {
  EXPECT_THROW(Runner::create(model, "in", {}), ModelError);
  EXPECT_THROW(Runner::create(model, "none", {}), ModelError);
  auto graph = doubling_graph();
  graph.root.children[1].attrs["runner"] = testing::Texts{{"ref", "libvart-cpu-runner.so"}};
  const TemporaryModel no_run_mode(graph);
  EXPECT_THROW(Runner::create(xmodel::Handle::load(no_run_mode.path), "dpu", {}), ModelError);
  EXPECT_THROW(create({"no such device"}), DeviceError);
  EXPECT_THROW(create({__FILE__}), DeviceError);
  EXPECT_THROW(create({NO_ENTRY_POINT}), DeviceError);
  EXPECT_THROW(create({"board"}), DeviceError);
}

TEST_F(DpuRunner, AMissingSoftwareDpuIsNamed) {
  setenv("NERONE_SOFTDPU_LIBRARY", "/nonexistent/libnerone_softdpu.so", 1);
  EXPECT_NE(message_of([&] { create(); }).find("/nonexistent/libnerone_softdpu.so"), std::string::npos);
  unsetenv("NERONE_SOFTDPU_LIBRARY");
}

struct Case {
  const char* behaviour;
  const char* words;
};

class Misbehaving : public DpuRunner, public ::testing::WithParamInterface<Case> {};

TEST_P(Misbehaving, IsADeviceError) {
  const auto [behaviour, words] = GetParam();
  const auto run = [&, name = behaviour] { create(misbehaving(name)).run(20); };
  EXPECT_THROW(run(), DeviceError);
  EXPECT_NE(message_of(run).find(words), std::string::npos) << message_of(run);
}

INSTANTIATE_TEST_SUITE_P(Device, Misbehaving,
                         ::testing::Values(Case{"throws in create", "no device left"},
                                           Case{"throws a number in create", "runner library"},
                                           Case{"creates nothing", "not created"}, Case{"plain runner", "RunnerExt"},
                                           Case{"no outputs", "no output buffers"}, Case{"no memory", "0 bytes"},
                                           Case{"short memory", "1 bytes"}, Case{"throws in execute", "on fire"},
                                           Case{"throws a number in execute", "runner library"},
                                           Case{"refuses", "status -5"}, Case{"fails in wait", "status 3"},
                                           Case{"throws in wait", "lost the job"}));

TEST_F(DpuRunner, ALateJobIsATimeoutAndCanBeWaitedForAgain) {
  auto runner = create(misbehaving("late"));
  const auto job = runner.start();
  EXPECT_THROW(runner.finish(job, 10), TimeoutError);
  EXPECT_NO_THROW(runner.finish(job, 10));
}

TEST_F(DpuRunner, KeepsTheModelAlive) {
  auto runner = create();
  model = xmodel::Handle::load(file.path);
  runner.run();
  EXPECT_EQ(runner.inputs().size(), 1U);
}

}  // namespace
}  // namespace nerone::vart
