#pragma once

// Random instructions, and memory and machines for them: of the tests and of the fuzz targets.

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "isa/core.hpp"

namespace nerone::isa::testing {

using Random = std::mt19937_64;

inline constexpr std::uint64_t fingerprints[] = {0x1000020f6014407, 0x101000016010407, 0x101000016010200};

// Small values are likely, so that many streams can run.
std::uint32_t any_value(const Field& field, Random& random);
Instruction any(const Format& format, Random& random);

// Four kilobytes behind every register.
class Registers {
 public:
  Registers();
  std::map<int, std::size_t> sizes;
  std::array<std::uint8_t*, register_count> addresses{};

 private:
  std::array<std::vector<std::uint8_t>, register_count> bytes_;
};

// Whether a program's units multiply, compare or add less often than that. A CONV with the largest kernel on a whole
// bank takes a second.
bool is_short(const Program& program, std::int64_t most_work = 1 << 11);

}  // namespace nerone::isa::testing
