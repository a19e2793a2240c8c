#pragma once

#include <cstdint>

namespace nerone::pipeline::testing {

// Calls of memcpy and memmove in this program, with its libraries, of at least 16 KiB: less than any frame or mask.
std::uint64_t large_copy_count();

}  // namespace nerone::pipeline::testing
