#pragma once

// DPU subgraphs for the software DPU, without libxir's loader, whose time grows with the square of the number of ops.

#include <nerone/xmodel.hpp>
#include <string>

namespace nerone::xmodel {

// One root child of a checked file as describe.hpp has it, read from plain values.
Graph describe(const Graph& file, const Subgraph& child);

// What VART has to see of a checked file to make a runner of each DPU subgraph: its name, attributes and boundary
// tensors. In place of its ops stands one of the given type for each output, which reads all inputs.
Graph outline(const Graph& file, const std::string& type);

}  // namespace nerone::xmodel
