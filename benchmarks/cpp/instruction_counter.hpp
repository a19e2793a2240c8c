#pragma once

#include <functional>
#include <optional>

namespace nerone::benchmarks {

struct InstructionCounts {
  long instructions = 0;
  long dot_products = 0;  // vpdpbusd of 64 bytes
};

// Counts what `work` executes, by running it in a child process and stepping through it instruction by instruction:
// each takes tens of microseconds. None where the system lets no process be traced, or `work` ends its process.
std::optional<InstructionCounts> count_instructions(const std::function<void()>& work);

}  // namespace nerone::benchmarks
