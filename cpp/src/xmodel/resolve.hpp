#pragma once

#include <nerone/xmodel.hpp>

#include "xmodel/decode.hpp"

namespace nerone::xmodel {

// Replaces names by indices, and brings ops and root children into topological order (file order where that is one).
// ModelError for a name that two ops have or that nothing has, and for a cycle.
Graph resolve(RawGraph raw);

// The order in which the children of a subgraph can run; ModelError where two of them need each other.
std::vector<std::size_t> order_of_children(const Graph& graph, const Subgraph& subgraph);

}  // namespace nerone::xmodel
