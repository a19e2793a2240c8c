#include "softdpu/jit/engine.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "door/door.hpp"
#include "isas.hpp"
#include "random_program.hpp"
#include "softdpu/scalar_engine.hpp"
#include "xmodel/handle.hpp"

namespace nerone::softdpu::jit {
namespace {

using Buffers = std::vector<std::vector<std::int8_t>>;

std::size_t bytes_of(const TensorInfo& info) {
  std::size_t bytes = size_of(info.dtype);
  for (const auto extent : info.shape) bytes *= static_cast<std::size_t>(extent);
  return bytes;
}

Buffers random_inputs(const Engine& engine, test::Random& random) {
  Buffers inputs;
  for (const auto& info : engine.inputs()) inputs.push_back(test::random_bytes(random, bytes_of(info)));
  return inputs;
}

// Buffers that begin at odd addresses, and a byte behind each that must stay.
Buffers run(const Engine& engine, Context& context, const Buffers& inputs) {
  std::vector<const void*> from;
  std::vector<void*> to;
  Buffers outputs;
  for (const auto& input : inputs) from.push_back(input.data());
  for (const auto& info : engine.outputs()) outputs.emplace_back(bytes_of(info) + 2, 77);
  for (auto& output : outputs) to.push_back(output.data() + 1);
  engine.run(context, from.data(), to.data());
  for (const auto& output : outputs) {
    EXPECT_EQ(output.front(), 77);
    EXPECT_EQ(output.back(), 77);
  }
  return outputs;
}

using JitEngineTest = test::ForEachIsa;
NERONE_FOR_EACH_ISA(JitEngineTest);

void expect_equal_engines(Isa isa, const std::shared_ptr<const Program>& program, test::Random& random,
                          const std::string& what, int threads = 1) {
  const JitEngine engine(isa, *program, make_portable_kernel, threads);
  const auto reference = make_scalar_engine(program);
  const auto context = engine.make_context();
  const auto reference_context = reference->make_context();
  // Twice: what the first run left in the arena must not show.
  for (int round = 0; round < 2; ++round) {
    const auto inputs = random_inputs(engine, random);
    const auto got = run(engine, *context, inputs), expected = run(*reference, *reference_context, inputs);
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_TRUE(got[i] == expected[i]) << what << ", output " << engine.outputs()[i].name << ", round " << round
                                         << ", " << threads << " threads, seed " << test::seed_of_run();
    }
  }
  if (threads == 1) {
    EXPECT_LE(engine.arena_bytes(), 2 * engine.live_bytes());
  }
}

TEST_P(JitEngineTest, RandomProgramsEqualTheReference) {
  test::Random random(test::seed_of_run());
  for (int i = 0; i < test::cases_of_run(300) && !HasFailure(); ++i) {
    const auto program = std::make_shared<Program>(test::random_program(random, test::pick(random, 1, 14)));
    expect_equal_engines(isa(), program, random, "program " + std::to_string(i));
  }
}

TEST_P(JitEngineTest, ThreadsThatShareAnImageComputeTheSame) {
  test::Random random(test::seed_of_run());
  for (int i = 0; i < test::cases_of_run(60) && !HasFailure(); ++i) {
    const auto program = std::make_shared<Program>(test::random_program(random, test::pick(random, 1, 14)));
    for (const int threads : {2, 3})
      expect_equal_engines(isa(), program, random, "program " + std::to_string(i), threads);
  }
}

std::filesystem::path golden_models() {
  const char* given = std::getenv("NERONE_GOLDEN_DIR");
  return std::filesystem::path(given != nullptr ? given : NERONE_SOURCE_DIR "/../shared/golden") / "models";
}

std::vector<std::shared_ptr<const Program>> golden_programs() {
  std::vector<std::shared_ptr<const Program>> programs;
  for (const auto& entry : std::filesystem::directory_iterator(golden_models())) {
    if (entry.path().extension() != ".xmodel") continue;
    const auto handle = xmodel::Handle::load(entry.path());
    for (const auto& child : handle.graph().root.children) {
      if (child.device() != "DPU") continue;
      programs.push_back(parse_program(handle.foreign()->describe(child.name), {}));
    }
  }
  return programs;
}

TEST_P(JitEngineTest, RealModelsEqualTheReference) {
  if (!std::filesystem::exists(golden_models())) GTEST_SKIP() << "no golden models beside the repository";
  test::Random random(test::seed_of_run());
  for (const auto& program : golden_programs()) {
    for (const int threads : {1, 2}) {
      expect_equal_engines(isa(), program, random, program->values.back().name, threads);
    }
  }
}

TEST_P(JitEngineTest, RealModelsNeedNoDenseSteps) {
  if (!std::filesystem::exists(golden_models())) GTEST_SKIP() << "no golden models beside the repository";
  for (const auto& program : golden_programs()) {
    const JitEngine engine(isa(), *program, make_portable_kernel);
    for (const auto& step : engine.steps()) EXPECT_NE(step.kind, "other") << step.name;
  }
}

TEST_P(JitEngineTest, ContextsRunInParallel) {
  test::Random random(test::seed_of_run());
  const auto program = std::make_shared<Program>(test::random_program(random, 12));
  const JitEngine engine(isa(), *program, make_portable_kernel);
  const auto inputs = random_inputs(engine, random);
  const auto context = engine.make_context();
  const auto expected = run(engine, *context, inputs);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto own = engine.make_context();
      for (int k = 0; k < 20; ++k) EXPECT_EQ(run(engine, *own, inputs), expected);
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace nerone::softdpu::jit
