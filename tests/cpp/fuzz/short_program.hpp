#pragma once

#include "isa/program.hpp"

namespace nerone::fuzz {

// A CONV with the largest kernel on a whole bank takes a second: only short programs are run.
bool is_short(const isa::Program& program);

}  // namespace nerone::fuzz
