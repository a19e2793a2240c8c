#pragma once

#include <memory>
#include <string>

#include "door/door.hpp"

namespace nerone::vart {

// A runner of VART's behind plain types; whatever it throws leaves as an Error.
std::unique_ptr<door::Runner> make_foreign_runner(std::shared_ptr<door::Graph> graph, const std::string& subgraph,
                                                  const std::string& library, const DeviceOptions& options);

}  // namespace nerone::vart
