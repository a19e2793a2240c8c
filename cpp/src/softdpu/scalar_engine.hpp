#pragma once

#include <memory>

#include "softdpu/engine.hpp"
#include "softdpu/program.hpp"

namespace nerone::softdpu {

// Runs op after op with the readable references, every tensor in its own buffer.
std::shared_ptr<const Engine> make_scalar_engine(std::shared_ptr<const Program> program);

// One step with the readable references.
void run_scalar(const Operation& operation, const void* const* inputs, void* output);

}  // namespace nerone::softdpu
