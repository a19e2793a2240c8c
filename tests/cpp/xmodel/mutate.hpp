#pragma once

#include <nerone/xmodel.hpp>
#include <random>
#include <string>

namespace nerone::xmodel::testing {

using Random = std::mt19937_64;

// One to three damages of a file: flipped bits, bytes cut out, repeated or taken from another file, lengths that lie,
// the end cut off.
std::string mutate_bytes(const std::string& file, const std::string& other, Random& random);

// One to three changes of a graph that leave the file's bytes well formed: inputs, attributes, types, names, shapes,
// constants and subgraphs that do not fit together.
Graph mutate_graph(Graph graph, Random& random);

}  // namespace nerone::xmodel::testing
