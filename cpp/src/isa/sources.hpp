#pragma once

#include <cstdint>
#include <vector>

#include "isa/program.hpp"

namespace nerone::isa {

// For each instruction those that wrote the rows that it reads, in ascending order.
std::vector<std::vector<std::uint32_t>> sources_of(const Program& program);

}  // namespace nerone::isa
