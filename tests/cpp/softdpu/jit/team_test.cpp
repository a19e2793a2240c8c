// Threads that share an image: their meetings, a forked child, a system that gives no thread.

#include "softdpu/jit/team.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <nerone/error.hpp>
#include <string>

namespace nerone::softdpu::jit {
namespace {

TEST(Team, MeetsAfterEachStep) {
  Team team(3);
  for (int image = 0; image < 200; ++image) {
    std::atomic<int> first{0}, early{0};
    const std::function<void(int)> work = [&](int) {
      ++first;
      team.wait_for_all();
      if (first != 3) ++early;
    };
    team.run(work);
    ASSERT_EQ(first, 3);
    ASSERT_EQ(early, 0);
  }
}

TEST(Team, IsRefusedInAForkedChild) {
  auto team = std::make_unique<Team>(2);
  const auto child = ::fork();
  if (child == 0) {
    ::alarm(20);
    int code = team->is_here() ? 1 : 0;
    try {
      team->run([](int) {});
      code = 2;
    } catch (const DeviceError&) {
    }
    ::_exit(code);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(team->is_here());
}

// In a child, whose address space then has no room for the stack of a thread.
TEST(Team, SaysWhereThereIsNoThread) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer takes more address space than this leaves";
#endif
  const auto child = ::fork();
  if (child == 0) {
    ::alarm(20);
    rlimit limit{64 << 20, 64 << 20};
    ::setrlimit(RLIMIT_AS, &limit);
    try {
      Team team(64);
      ::_exit(1);
    } catch (const DeviceError& error) {
      ::_exit(std::string(error.what()).find("of 64 threads") == std::string::npos ? 2 : 0);
    }
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace nerone::softdpu::jit
