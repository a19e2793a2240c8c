#pragma once

#include <filesystem>
#include <nerone/export.hpp>

namespace nerone {

// CPU cores that this process may use, at least 1: those of its affinity mask, and no more than the quotas of its
// control groups (versions 1 and 2) give, rounded up. `root` is where /proc and /sys are.
NERONE_EXPORT int usable_cores(const std::filesystem::path& root = "/");

}  // namespace nerone
