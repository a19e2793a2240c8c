#include "softdpu/jit/arena.hpp"

#include <gtest/gtest.h>

#include "random_conv.hpp"

namespace nerone::softdpu::jit {
namespace {

TEST(Arena, ReusesWhatIsFree) {
  const auto arena = arrange({{128, 0, 1}, {128, 1, 2}, {128, 2, 3}});
  EXPECT_EQ(arena.size_bytes, 256U);
  EXPECT_EQ(arena.offsets[0], arena.offsets[2]);
}

TEST(Arena, KeepsBuffersThatLiveTogetherApart) {
  test::Random random(test::seed_of_run());
  for (int round = 0; round < 50; ++round) {
    std::vector<Span> spans;
    for (int i = 0; i < 30; ++i) {
      const int first = test::pick(random, 0, 20);
      spans.push_back({static_cast<std::size_t>(test::pick(random, 0, 5000)), first, first + test::pick(random, 0, 8)});
    }
    const auto arena = arrange(spans);
    for (std::size_t a = 0; a < spans.size(); ++a) {
      EXPECT_EQ(arena.offsets[a] % 64, 0U);
      EXPECT_LE(arena.offsets[a] + spans[a].size_bytes, arena.size_bytes);
      for (std::size_t b = 0; b < a; ++b) {
        const bool together = spans[a].first <= spans[b].last && spans[b].first <= spans[a].last;
        const bool apart = arena.offsets[a] + spans[a].size_bytes <= arena.offsets[b] ||
                           arena.offsets[b] + spans[b].size_bytes <= arena.offsets[a];
        const bool empty = spans[a].size_bytes == 0 || spans[b].size_bytes == 0;
        ASSERT_TRUE(!together || apart || empty) << "seed " << test::seed_of_run();
      }
    }
  }
}

}  // namespace
}  // namespace nerone::softdpu::jit
