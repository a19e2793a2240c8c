#include "instruction_counter.hpp"

#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace nerone::benchmarks {
namespace {

// EVEX.512.66.0F38.W0 50 /r.
bool is_dot_product(long code) {
  unsigned char bytes[sizeof code];
  std::memcpy(bytes, &code, sizeof code);
  const auto length = (bytes[3] >> 5) & 3;
  return bytes[0] == 0x62 && (bytes[1] & 7) == 2 && bytes[4] == 0x50 && length == 2;
}

[[noreturn]] void run_between_stops(const std::function<void()>& work) {
  if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
  raise(SIGSTOP);
  work();
  raise(SIGSTOP);
  _exit(0);
}

std::optional<InstructionCounts> step_through(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return std::nullopt;
  InstructionCounts counts;
  for (;;) {
    if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) return std::nullopt;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return std::nullopt;
    if (WSTOPSIG(status) == SIGSTOP) return counts;
    if (WSTOPSIG(status) != SIGTRAP) return std::nullopt;
    user_regs_struct registers{};
    ptrace(PTRACE_GETREGS, child, nullptr, &registers);
    ++counts.instructions;
    errno = 0;
    const long code = ptrace(PTRACE_PEEKTEXT, child, registers.rip, nullptr);
    if (errno == 0 && is_dot_product(code)) ++counts.dot_products;
  }
}

std::optional<InstructionCounts> count_with_stops(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child == 0) run_between_stops(work);
  if (child < 0) return std::nullopt;
  const auto counts = step_through(child);
  int status = 0;
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return counts;
}

}  // namespace

std::optional<InstructionCounts> count_instructions(const std::function<void()>& work) {
  auto counts = count_with_stops(work);
  const auto stops = count_with_stops([] {});
  if (!counts || !stops) return std::nullopt;
  counts->instructions -= stops->instructions;
  return counts;
}

}  // namespace nerone::benchmarks
