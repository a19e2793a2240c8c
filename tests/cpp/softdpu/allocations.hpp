#pragma once

#include <cstdint>

namespace nerone::softdpu::testing {

// How often this thread has called operator new.
std::int64_t allocations();

}  // namespace nerone::softdpu::testing
