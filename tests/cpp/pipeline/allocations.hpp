#pragma once

#include <cstdint>

namespace nerone::pipeline::testing {

// Calls of operator new in this program so far, from all threads.
std::uint64_t allocation_count();

std::uint64_t resident_bytes();

}  // namespace nerone::pipeline::testing
