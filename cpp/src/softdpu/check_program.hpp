#pragma once

#include "softdpu/program.hpp"

namespace nerone::softdpu {

// Checks of everything that the engines take for granted: indices that exist, values that are written before they are
// read and once only, constants of their tensor's size, names that tell inputs and outputs apart. ModelError.
void check_program(const Program& program);

}  // namespace nerone::softdpu
