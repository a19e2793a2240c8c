#pragma once

#include "run/arguments.hpp"

namespace nerone::run {

// Runs what the arguments say; the exit code, 0 or 1. nerone::Error where it cannot run.
int run(const Arguments& arguments);

}  // namespace nerone::run
