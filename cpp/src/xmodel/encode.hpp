#pragma once

#include <nerone/xmodel.hpp>
#include <string>

namespace nerone::xmodel {

// The file's bytes of a checked graph; the same graph gives the same bytes.
std::string encode(const Graph& graph);

}  // namespace nerone::xmodel
