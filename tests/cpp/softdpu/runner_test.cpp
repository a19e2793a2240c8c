// The runner as VART's callers use it, on a graph that libxir has read.

#include "softdpu/plugin/runner.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <nerone/error.hpp>
#include <thread>

#include "allocations.hpp"
#include "graph_builder.hpp"
#include "softdpu/plugin/engine_cache.hpp"
#include "softdpu/value.hpp"
#include "xmodel/device_objects.hpp"
#include "xmodel/handle.hpp"

namespace nerone::softdpu::testing {
namespace {

using Text = std::string;

// y = a + b, fix point 4 everywhere, 3 elements; b is read first so that names and order differ.
GraphBuilder addition() {
  GraphBuilder build;
  const auto b = build.input("b", {1, 1, 3, 1}, 4);
  const auto a = build.input("a", {1, 1, 3, 1}, 4);
  build.op("eltwise-fix", "y", {1, 1, 3, 1}, 4, {{"type", Text("ADD")}, {"nonlinear", Text("NONE")}},
           {{"input", {b, a}}});
  return build;
}

xmodel::Handle load(const xmodel::Graph& graph) {
  const auto path =
      std::filesystem::temp_directory_path() / ("nerone_runner_" + std::to_string(::getpid()) + ".xmodel");
  xmodel::write(graph, path);
  auto handle = xmodel::Handle::load(path);
  std::filesystem::remove(path);
  return handle;
}

struct Fixture {
  xmodel::Handle handle = load(addition().file());
  const xir::Subgraph* subgraph = handle.subgraph("dpu");
  SoftDpuRunner runner;

  explicit Fixture(Timing timing = {})
      : runner(shared_engine(subgraph, Kernels::automatic, 1, this_maker()), xmodel::boundary_of(subgraph),
               std::move(timing)) {}
};

// A caller's buffer.
template <typename T>
class HostBuffer final : public vart::TensorBuffer {
 public:
  HostBuffer(const Text& name, Shape shape, DType dtype, std::vector<T> given)
      : vart::TensorBuffer(nullptr), values(std::move(given)), shape_(std::move(shape)) {
    owned_ = xmodel::make_tensor({name, shape_, dtype, 4});
    tensor_ = owned_.get();
  }
  std::pair<std::uint64_t, std::size_t> data(const std::vector<std::int32_t> index = {}) override {
    const auto image = values.size() / static_cast<std::size_t>(shape_[0]);
    const auto offset = index.empty() ? 0 : static_cast<std::size_t>(index[0]) * image;
    return {reinterpret_cast<std::uint64_t>(values.data() + offset), (values.size() - offset) * sizeof(T)};
  }
  std::vector<T> values;

 private:
  Shape shape_;
  std::shared_ptr<xir::Tensor> owned_;
};

using Int8Buffer = HostBuffer<std::int8_t>;
using FloatBuffer = HostBuffer<float>;
const Shape one{1, 1, 3, 1};

TEST(Runner, ComputesInItsOwnBuffersWithoutAllocating) {
  Fixture fixture;
  const auto inputs = fixture.runner.get_inputs();
  const auto outputs = fixture.runner.get_outputs();
  ASSERT_EQ(inputs.size(), 2U);
  EXPECT_EQ(xmodel::name_of(inputs[0]->get_tensor()), "a");
  for (auto* buffer : inputs) {
    const auto [address, size] = buffer->data({0, 0, 0, 0});
    EXPECT_EQ(address % 64, 0U);
    EXPECT_EQ(size, 3U);
    std::memcpy(reinterpret_cast<void*>(address), "\1\2\3", 3);
  }
  fixture.runner.execute_async(inputs, outputs);
  const auto before = allocations();
  for (int i = 0; i < 5; ++i) {
    const auto job = fixture.runner.execute_async(inputs, outputs);
    EXPECT_EQ(job.second, 0);
    EXPECT_EQ(fixture.runner.wait(static_cast<int>(job.first), -1), 0);
  }
  EXPECT_EQ(allocations() - before, 0);
  EXPECT_EQ(std::memcmp(reinterpret_cast<void*>(outputs[0]->data({}).first), "\2\4\6", 3), 0);
  EXPECT_EQ(outputs[0]->data({0, 0, 5, 0}).first, 0U);
  EXPECT_EQ(outputs[0]->data({0, 0, 2, 0}).second, 1U);
}

TEST(Runner, FindsCallersBuffersByName) {
  Fixture fixture;
  Int8Buffer a("a", one, DType::int8, {1, 2, 3}), b("b", one, DType::int8, {10, 20, 30});
  Int8Buffer y("y", one, DType::int8, {0, 0, 0});
  fixture.runner.execute_async({&b, &a}, {&y});
  EXPECT_EQ(y.values, (Bytes8{11, 22, 33}));
  EXPECT_EQ(a.values, (Bytes8{1, 2, 3}));
}

TEST(Runner, ConvertsFloatBuffersLikeTheBoards) {
  Fixture fixture;
  FloatBuffer a("a", one, DType::float32, {0.99F, -0.99F, 2.0F});
  Int8Buffer b("b", one, DType::int8, {0, 0, 1});
  FloatBuffer y("y", one, DType::float32, {9, 9, 9});
  fixture.runner.execute_async({&a, &b}, {&y});
  EXPECT_EQ(y.values, (std::vector<float>{15 / 16.0F, -15 / 16.0F, 33 / 16.0F}));
}

TEST(Runner, RunsABatchImageByImage) {
  Fixture fixture;
  Int8Buffer a("a", {2, 1, 3, 1}, DType::int8, {1, 2, 3, 4, 5, 6}), b("b", {2, 1, 3, 1}, DType::int8, Bytes8(6, 10));
  FloatBuffer y("y", {2, 1, 3, 1}, DType::float32, std::vector<float>(6));
  fixture.runner.execute_async({&a, &b}, {&y});
  EXPECT_EQ(y.values, (std::vector<float>{11 / 16.F, 12 / 16.F, 13 / 16.F, 14 / 16.F, 15 / 16.F, 1}));
  Int8Buffer single("y", one, DType::int8, {0, 0, 0});
  EXPECT_THROW(fixture.runner.execute_async({&a, &b}, {&single}), ShapeError);
}

TEST(Runner, RefusesBuffersThatDoNotFit) {
  Fixture fixture;
  auto& runner = fixture.runner;
  Int8Buffer a("a", one, DType::int8, {1, 2, 3}), b("b", one, DType::int8, {1, 2, 3}),
      y("y", one, DType::int8, {0, 0, 0});
  Int8Buffer wide("a", {1, 1, 4, 1}, DType::int8, Bytes8(4)), stranger("z", one, DType::int8, Bytes8(3));
  Int8Buffer small("a", one, DType::int8, {1, 2}), flat("a", {3}, DType::int8, Bytes8(3));
  HostBuffer<std::int16_t> words("a", one, DType::int16, {1, 2, 3});
  EXPECT_THROW(runner.execute_async({&a}, {&y}), ShapeError);
  EXPECT_THROW(runner.execute_async({&a, nullptr}, {&y}), ShapeError);
  EXPECT_THROW(runner.execute_async({&wide, &b}, {&y}), ShapeError);
  EXPECT_THROW(runner.execute_async({&stranger, &b}, {&y}), ShapeError);
  EXPECT_THROW(runner.execute_async({&small, &b}, {&y}), ShapeError);
  EXPECT_THROW(runner.execute_async({&flat, &b}, {&y}), ShapeError);
  EXPECT_THROW(runner.execute_async({&words, &b}, {&y}), DtypeError);
  EXPECT_THROW(runner.execute_async({&a, &b}, {}), ShapeError);
  runner.execute_async({&a, &b}, {&y});  // still usable
  EXPECT_EQ(y.values, (Bytes8{2, 4, 6}));
}

TEST(Runner, OnlyTakesTimeWhereComputingIsOff) {
  Timing timing{SimulatedDevice::shared(1), std::chrono::milliseconds(3), false};
  Fixture fixture(timing);
  Int8Buffer a("a", one, DType::int8, {1, 2, 3}), b("b", one, DType::int8, {1, 2, 3}),
      y("y", one, DType::int8, {7, 7, 7});
  const auto begin = SimulatedDevice::Clock::now();
  fixture.runner.execute_async({&a, &b}, {&y});
  EXPECT_GE(SimulatedDevice::Clock::now() - begin, std::chrono::milliseconds(3));
  EXPECT_EQ(y.values, (Bytes8{7, 7, 7}));
}

TEST(Runner, SharesOneEngineBetweenRunners) {
  const auto handle = load(addition().file());
  const auto* subgraph = handle.subgraph("dpu");
  const auto engine = shared_engine(subgraph, Kernels::portable, 1, this_maker());
  EXPECT_EQ(shared_engine(subgraph, Kernels::portable, 1, this_maker()), engine);
  EXPECT_NE(shared_engine(subgraph, Kernels::scalar, 1, this_maker()), engine);
  EXPECT_NE(shared_engine(subgraph, Kernels::portable, 2, this_maker()), engine);
}

TEST(Runner, RefusesOtherDpuFamilies) {
  for (const Text family : {"DPUCVDX8G_ISA3_C32B6", "DPUCAHX8H_ISA2", "DPUCADF8H"}) {
    try {
      const auto handle = load(addition().file(family));
      shared_engine(handle.subgraph("dpu"), Kernels::automatic, 1, this_maker());
      FAIL() << family;
    } catch (const ModelError& error) {
      EXPECT_NE(Text(error.what()).find(family.substr(0, 9)), Text::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace nerone::softdpu::testing
