#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "allocations.hpp"
#include "graph_builder.hpp"
#include "softdpu/memory_plan.hpp"

namespace nerone::softdpu::testing {
namespace {

using Text = std::string;

// A small U-Net: pool, two branches, upsampling, concatenation, addition, two outputs.
GraphBuilder network() {
  GraphBuilder build;
  const auto x = build.input("x", {1, 18, 18, 3}, 4);
  const auto a = build.conv("a", x, {1, 16, 16, 8}, 3, {3, 3}, random_bytes(8 * 27, 1), 7, "RELU");
  const auto p = build.op("pool-fix", "p", {1, 8, 8, 8}, 3,
                          {{"kernel", Dims{2, 2}}, {"stride", Dims{2, 2}}, {"type", Text("MAX")}}, {{"input", {a}}});
  const auto b = build.conv("b", p, {1, 8, 8, 16}, 4, {1, 1}, random_bytes(16 * 8, 2), 6, "LEAKYRELU");
  const auto u = build.op("upsample-fix", "u", {1, 16, 16, 16}, 4,
                          {{"scale", std::vector<float>{2, 2}}, {"mode", Text("NEAREST")}}, {{"input", {b}}});
  const auto c = build.op("concat-fix", "c", {1, 16, 16, 24}, 3, {{"axis", std::int32_t{3}}}, {{"input", {a, u}}});
  const auto d = build.conv("d", c, {1, 16, 16, 8}, 3, {1, 1}, random_bytes(8 * 24, 3), 8);
  build.op("eltwise-fix", "e", {1, 16, 16, 8}, 3, {{"type", Text("ADD")}}, {{"input", {d, a}}});
  build.op("pool-fix", "g", {1, 1, 1, 16}, 4, {{"global", true}, {"type", Text("AVG")}}, {{"input", {b}}});
  return build;
}

struct Session {
  std::shared_ptr<const Engine> engine;
  std::unique_ptr<Context> context;
  Bytes8 e = Bytes8(16 * 16 * 8), g = Bytes8(16);

  explicit Session(std::shared_ptr<const Engine> shared) : engine(std::move(shared)), context(engine->make_context()) {}
  void operator()(const Bytes8& x) {
    const void* from = x.data();
    const std::array<void*, 2> to{e.data(), g.data()};
    engine->run(*context, &from, to.data());
  }
};

std::shared_ptr<const Engine> engine_of(Kernels kernels) {
  EngineOptions options;
  options.kernels = kernels;
  return make_engine(network().graph, options);
}

class EveryPlan : public ::testing::TestWithParam<Kernels> {};

TEST_P(EveryPlan, DescribesItsTensorsInTheOrderOfTheirNames) {
  const auto engine = engine_of(GetParam());
  EXPECT_EQ(engine->kernels(), GetParam());
  ASSERT_EQ(engine->outputs().size(), 2U);
  EXPECT_EQ(engine->outputs()[0].name, "e");
  EXPECT_EQ(engine->outputs()[1].name, "g");
  EXPECT_EQ(engine->outputs()[1].fix_point, 4);
  EXPECT_EQ(engine->inputs()[0].shape, (Shape{1, 18, 18, 3}));
}

TEST_P(EveryPlan, GivesTheSameBitsAgainAndAgain) {
  Session reference(engine_of(Kernels::scalar)), session(engine_of(GetParam()));
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    const auto x = random_bytes(18 * 18 * 3, seed);
    reference(x);
    session(x);
    ASSERT_EQ(session.e, reference.e) << seed;
    ASSERT_EQ(session.g, reference.g) << seed;
  }
}

TEST_P(EveryPlan, TakesBuffersAtAnyAlignment) {
  const auto engine = engine_of(GetParam());
  const auto context = engine->make_context();
  Session reference(engine_of(Kernels::scalar));
  const auto x = random_bytes(18 * 18 * 3, 5);
  reference(x);
  for (std::size_t offset = 1; offset < 4; ++offset) {
    Bytes8 in(x.size() + offset), e(reference.e.size() + offset + 1, 55), g(reference.g.size() + offset + 1, 55);
    std::copy(x.begin(), x.end(), in.begin() + static_cast<std::ptrdiff_t>(offset));
    const void* from = in.data() + offset;
    const std::array<void*, 2> to{e.data() + offset, g.data() + offset};
    engine->run(*context, &from, to.data());
    EXPECT_TRUE(std::equal(reference.e.begin(), reference.e.end(), e.begin() + static_cast<std::ptrdiff_t>(offset)));
    EXPECT_TRUE(std::equal(reference.g.begin(), reference.g.end(), g.begin() + static_cast<std::ptrdiff_t>(offset)));
    EXPECT_EQ(e.back(), 55);
    EXPECT_EQ(g.back(), 55);
  }
}

TEST_P(EveryPlan, AllocatesNothingWhileItRuns) {
  if (GetParam() == Kernels::onednn) GTEST_SKIP() << "oneDNN allocates its argument list in every call";
  Session session(engine_of(GetParam()));
  const auto x = random_bytes(18 * 18 * 3, 9);
  session(x);
  const auto before = allocations();
  for (int i = 0; i < 10; ++i) session(x);
  EXPECT_EQ(allocations() - before, 0);
}

TEST_P(EveryPlan, ServesManyThreadsAtOnce) {
  const auto engine = engine_of(GetParam());
  std::vector<std::thread> threads;
  std::array<bool, 4> equal{};
  for (std::size_t i = 0; i < equal.size(); ++i) {
    threads.emplace_back([&equal, engine, i] {
      Session reference(engine_of(Kernels::scalar)), session(engine);
      equal[i] = true;
      for (std::uint32_t seed = 0; seed < 15; ++seed) {
        const auto x = random_bytes(18 * 18 * 3, static_cast<std::uint32_t>(100 * i) + seed);
        reference(x);
        session(x);
        equal[i] = equal[i] && session.e == reference.e && session.g == reference.g;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const bool is_equal : equal) EXPECT_TRUE(is_equal);
}

INSTANTIATE_TEST_SUITE_P(Plans, EveryPlan, ::testing::ValuesIn(engines()),
                         [](const auto& chosen) { return test_name_of(chosen.param); });

TEST(MemoryPlan, NeverGivesOneByteToTwoLiveTensors) {
  const auto program = parse_program(network().graph);
  const auto plan = plan_memory(*program);
  std::vector<std::size_t> first(program->values.size(), 1000), last(program->values.size(), 0);
  std::size_t total = 0;
  for (std::size_t i = 0; i < program->steps.size(); ++i) {
    auto touched = program->steps[i].inputs;
    touched.push_back(program->steps[i].output);
    for (const auto value : touched) first[value] = std::min(first[value], i), last[value] = std::max(last[value], i);
  }
  for (std::size_t a = 0; a < program->values.size(); ++a) {
    if (plan.places[a].kind != Place::Kind::arena) continue;
    total += program->values[a].size_bytes();
    EXPECT_LE(plan.places[a].offset + program->values[a].size_bytes(), plan.arena_bytes);
    for (std::size_t b = 0; b < a; ++b) {
      if (plan.places[b].kind != Place::Kind::arena || first[a] > last[b] || first[b] > last[a]) continue;
      const bool apart = plan.places[a].offset + program->values[a].size_bytes() <= plan.places[b].offset ||
                         plan.places[b].offset + program->values[b].size_bytes() <= plan.places[a].offset;
      EXPECT_TRUE(apart) << program->values[a].name << " and " << program->values[b].name;
    }
  }
  EXPECT_LT(plan.arena_bytes, total);
}

}  // namespace
}  // namespace nerone::softdpu::testing
