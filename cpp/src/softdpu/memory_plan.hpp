#pragma once

#include <cstddef>
#include <vector>

#include "softdpu/program.hpp"

namespace nerone::softdpu {

// Where each value of a program lies while it runs.
struct Place {
  enum class Kind { arena, input, output, constant };

  Kind kind = Kind::arena;
  std::size_t index = 0;   // of the program's input or output, or of the constant's value
  std::size_t offset = 0;  // in the arena
};

// A copy for a value that must lie in two places.
struct OutputCopy {
  std::size_t value = 0;
  std::size_t output = 0;
};

struct MemoryPlan {
  std::vector<Place> places;        // per value
  std::vector<bool> skipped_steps;  // per step: a Copy whose input and output share their place
  std::vector<OutputCopy> output_copies;
  std::size_t arena_bytes = 0;
};

MemoryPlan plan_memory(const Program& program);

}  // namespace nerone::softdpu
