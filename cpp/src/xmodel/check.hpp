#pragma once

#include <nerone/xmodel.hpp>

namespace nerone::xmodel {

// Everything libxir or a runner would end the process for. Throws ModelError naming the op or subgraph and the rule.
void check(const Graph& graph, const Limits& limits);

void check_ops(const Graph& graph, const Limits& limits);
void check_subgraphs(const Graph& graph, const Limits& limits);

}  // namespace nerone::xmodel
