// A model of many ops: what loading and planning it for the software DPU takes grows with their number, not its square.

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <limits>
#include <nerone/error.hpp>

#include "files.hpp"
#include "vart/dpu_runner.hpp"
#include "xmodel/encode.hpp"

namespace nerone::vart {
namespace {

using testing::fixed_op;
using testing::TemporaryModel;

// x and then its double, `doublings` times; each layer saturates what the one before did not.
xmodel::Graph chain_of(std::size_t doublings) {
  auto graph = testing::doubling_graph();
  auto& dpu = graph.root.children[1];
  for (std::size_t i = 2; i <= doublings; ++i) {
    graph.ops.push_back(fixed_op("double" + std::to_string(i), "eltwise-fix",
                                 {{"type", std::string("ADD")}, {"nonlinear", std::string("NONE")}},
                                 {{"input", {i - 1, i - 1}}}));
    dpu.ops.push_back(i);
    graph.root.ops.push_back(i);
  }
  return graph;
}

// Not by xmodel::write(), which asks libxir.
void write_file(const xmodel::Graph& graph, const std::filesystem::path& file) {
  const auto bytes = encode(graph);
  std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

Runner load(const std::filesystem::path& file) { return Runner::create(xmodel::Handle::load(file), "dpu", {}); }

// Of this thread, the least of a few tries.
double load_seconds(const std::filesystem::path& file) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 3; ++i) {
    std::timespec before{}, after{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    load(file);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    best = std::min(best, static_cast<double>(after.tv_sec - before.tv_sec) +
                              1e-9 * static_cast<double>(after.tv_nsec - before.tv_nsec));
  }
  return best;
}

class ManyOps : public ::testing::Test {
 protected:
  const TemporaryModel file{testing::doubling_graph()};
};

TEST_F(ManyOps, TakeTimeByTheirNumber) {
  write_file(chain_of(1000), file.path);
  const double few = load_seconds(file.path);
  write_file(chain_of(8000), file.path);
  const double many = load_seconds(file.path);
  EXPECT_LT(many, 24 * few);  // 8 times by the number, 64 times by its square
}

TEST_F(ManyOps, RunBeyondWhatLibxirIsGiven) {
  write_file(chain_of(5000), file.path);
  auto runner = load(file.path);
  auto* const input = static_cast<std::int8_t*>(runner.inputs().at(0).images.at(0).data);
  const std::int8_t values[] = {0, 1, -1, 127};
  std::copy_n(values, 4, input);
  runner.run();
  const auto* output = static_cast<const std::int8_t*>(runner.outputs().at(0).images.at(0).data);
  const std::int8_t expected[] = {0, 127, -128, 127};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(output[i], expected[i]);
  try {
    xmodel::Handle::load(file.path).foreign();
    ADD_FAILURE() << "libxir was given 5001 ops";
  } catch (const ModelError& error) {
    EXPECT_NE(std::string(error.what()).find("has 5001 ops, libxir is given at most 4096"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace nerone::vart
