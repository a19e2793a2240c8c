// Damaged files, loaded through libxir in child processes: each must load or be refused with one line. A child that
// dies or hangs fails the test, which then prints the seed of the file.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <nerone/error.hpp>

#include "door/door.hpp"
#include "graphs.hpp"
#include "mutate.hpp"
#include "xmodel/encode.hpp"
#include "xmodel/handle.hpp"

namespace nerone::xmodel {
namespace {

using namespace testing;

constexpr unsigned child_seconds = 120;

// Shared with the child.
struct Progress {
  std::atomic<std::uint64_t> seed;
  std::atomic<std::uint64_t> loaded;
  std::atomic<std::uint64_t> refused;
  std::atomic<bool> done;
};

struct Base {
  Graph graph;
  std::string bytes;
};

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 0);
}

// A file in memory: ten thousand on a disk would take their time.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("mutated", 0)) {}
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::filesystem::path hold(const std::string& bytes) {
    if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, bytes.data(), bytes.size(), 0) < 0) std::abort();
    return "/proc/self/fd/" + std::to_string(descriptor_);
  }

 private:
  int descriptor_;
};

void load_one(const std::filesystem::path& file, Progress& progress) {
  try {
    const auto model = Handle::load(file);
    for (const auto& child : model.graph().root.children) model.foreign()->describe(child.name);
    ++progress.loaded;
  } catch (const ModelError& error) {
    const std::string message = error.what();
    if (message.empty() || message.find('\n') != std::string::npos) std::abort();
    ++progress.refused;
  }
}

std::string mutated(const std::vector<Base>& bases, std::uint64_t seed) {
  Random random(seed);
  const auto& base = bases[random() % bases.size()];
  if (random() % 2 == 0) return mutate_bytes(base.bytes, bases[random() % bases.size()].bytes, random);
  auto bytes = encode(mutate_graph(base.graph, random));
  return random() % 4 == 0 ? mutate_bytes(bytes, base.bytes, random) : bytes;
}

void run(const std::vector<Base>& bases, std::uint64_t count, std::uint64_t first_seed) {
  auto* progress = static_cast<Progress*>(
      ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(progress, MAP_FAILED);
  new (progress) Progress{};
  progress->seed = first_seed;
  while (!progress->done && !::testing::Test::HasFailure()) {
    const auto child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      MemoryFile file;
      for (auto end = first_seed + count; progress->seed < end; ++progress->seed) {
        ::alarm(child_seconds);
        load_one(file.hold(mutated(bases, progress->seed)), *progress);
      }
      progress->done = true;
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << "the file of seed " << progress->seed << " ended the process, status " << status;
    ++progress->seed;
  }
  std::cout << count << " files from seed " << first_seed << ": " << progress->loaded << " loaded, "
            << progress->refused << " refused\n";
  EXPECT_GT(progress->loaded, 0U);
  EXPECT_GT(progress->refused, 0U);
  ::munmap(progress, sizeof(Progress));
}

TEST(Fuzz, FilesOfOurOwn) {
  std::vector<Base> bases;
  for (auto& graph : {compiled_graph(), own_graph(), quantized_graph()}) bases.push_back({graph, encode(graph)});
  run(bases, number_from("NERONE_FUZZ_COUNT", 10'000), number_from("NERONE_FUZZ_SEED", 1));
}

TEST(Fuzz, GoldenFiles) {
  const auto files = golden_files();
  if (files.empty()) GTEST_SKIP() << "no golden models; set NERONE_GOLDEN_DIR";
  std::vector<Base> bases;
  for (const auto& file : files) {
    auto graph = read(file);
    bases.push_back({graph, bases.empty() ? bytes_of(file) : encode(graph)});
  }
  run(bases, number_from("NERONE_FUZZ_COUNT", 10'000) / 10, number_from("NERONE_FUZZ_SEED", 1));
}

}  // namespace
}  // namespace nerone::xmodel
