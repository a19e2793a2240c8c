// Runs a target: fuzz_NAME [--mutants N] [--seconds S] [--seed K] [--write-seeds FOLDER] [FILE ...]
//
// Mutants are made of the seeds and the FILEs in child processes, each from its own number: --seed K --mutants 1 gives
// the same mutant again. A child that dies, or takes longer than a minute for a mutant, counts; its mutant is left in
// the working folder, and the next child goes on behind it. Prints counts as JSON; exit code 1 where something was
// found.

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>

#include "target.hpp"

namespace nerone::fuzz {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned hang_seconds = 60;
constexpr int most_findings = 20;
constexpr int seed_refused = 3;

struct Options {
  std::uint64_t mutants = 1'000, seed = 1;
  double seconds = 1e9;
  std::string seeds_folder;
  std::vector<std::string> files;
};

// Shared with the children.
struct Progress {
  std::atomic<std::uint64_t> done, taken;
  std::atomic<bool> ended;
};

std::string mutant_of(const std::vector<std::string>& inputs, std::uint64_t number) {
  Random random(number);
  const auto& input = inputs[random() % inputs.size()];
  return mutated(input, inputs[random() % inputs.size()], random);
}

// The seeds are entered here: a library that they start threads in does not outlive a fork.
[[noreturn]] void work(const Options& options, const std::vector<std::string>& inputs, std::size_t own,
                       Progress& progress, Clock::time_point end) {
  for (std::size_t i = 0; i < own; ++i) {
    if (enter(inputs[i])) continue;
    std::fprintf(stderr, "seed %zu is refused\n", i);
    ::_exit(seed_refused);
  }
  while (progress.done < options.mutants && Clock::now() < end) {
    ::alarm(hang_seconds);
    if (enter(mutant_of(inputs, options.seed + progress.done))) ++progress.taken;
    ++progress.done;
  }
  progress.ended = true;
  std::exit(0);  // not _exit: a target removes its files
}

int run(const Options& options) {
  auto inputs = seeds();
  const auto own = inputs.size();
  for (const auto& file : options.files) {
    std::ifstream stream(file, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  for (std::size_t i = 0; !options.seeds_folder.empty() && i < inputs.size(); ++i) {
    std::ofstream(options.seeds_folder + "/seed-" + std::to_string(i), std::ios::binary) << inputs[i];
  }
  void* shared = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 2;
  auto* progress = new (shared) Progress{};
  const auto start = Clock::now();
  const auto end = start + std::chrono::microseconds(static_cast<std::int64_t>(options.seconds * 1e6));
  int aborts = 0, hangs = 0;
  while (!progress->ended && aborts + hangs < most_findings) {
    const auto child = ::fork();
    if (child < 0) return 2;
    if (child == 0) work(options, inputs, own, *progress, end);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status == 0) continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == seed_refused) return 2;
    const auto number = options.seed + progress->done++;
    const bool is_hang = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    ++(is_hang ? hangs : aborts);
    const auto name = "mutant-" + std::to_string(number);
    std::ofstream(name, std::ios::binary) << mutant_of(inputs, number);
    std::fprintf(stderr, "%s (status %d), the mutant is in %s\n", is_hang ? "hang" : "abort", status, name.c_str());
  }
  struct rusage usage = {};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const auto done = progress->done.load(), taken = progress->taken.load();
  std::printf(
      "{\"mutants\": %llu, \"taken\": %llu, \"refused\": %llu, \"aborts\": %d, \"hangs\": %d, \"seconds\": %.1f, "
      "\"per_second\": %.0f, \"peak_mb\": %ld}\n",
      static_cast<unsigned long long>(done), static_cast<unsigned long long>(taken),
      static_cast<unsigned long long>(done - taken), aborts, hangs, seconds, static_cast<double>(done) / seconds,
      usage.ru_maxrss / 1000);
  return aborts + hangs == 0 ? 0 : 1;
}

}  // namespace
}  // namespace nerone::fuzz

int main(int count, char** values) {
  nerone::fuzz::Options options;
  for (int i = 1; i < count; ++i) {
    const std::string word = values[i];
    const char* next = i + 1 < count ? values[i + 1] : "";
    if (word == "--mutants") {
      options.mutants = std::strtoull(next, nullptr, 10), ++i;
    } else if (word == "--seconds") {
      options.seconds = std::strtod(next, nullptr), ++i;
    } else if (word == "--seed") {
      options.seed = std::strtoull(next, nullptr, 10), ++i;
    } else if (word == "--write-seeds") {
      options.seeds_folder = next, ++i;
    } else {
      options.files.push_back(word);
    }
  }
  return nerone::fuzz::run(options);
}
