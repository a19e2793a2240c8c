#pragma once

#include <memory>

#include "softdpu/engine.hpp"

namespace nerone::softdpu {

// Runs the instructions (mc_code) of a subgraph as a board does, not its op graph. ConfigurationError where it has
// none.
std::shared_ptr<const Engine> make_instruction_engine(const xmodel::Graph& graph, const EngineOptions& options);

}  // namespace nerone::softdpu
