#pragma once

#include <nerone/xmodel.hpp>

namespace nerone::xmodel {

// Everything libxir or a runner would end the process for. Throws ModelError naming the op or subgraph and the rule.
void check(const Graph& graph, const Limits& limits);

// ModelError where the graph has too many ops for libxir, whose time to load them grows with their square.
void check_libxir_ops(const Graph& graph);

void check_ops(const Graph& graph, const Limits& limits);
void check_subgraphs(const Graph& graph, const Limits& limits);

}  // namespace nerone::xmodel
