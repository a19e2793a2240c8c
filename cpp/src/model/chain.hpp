#pragma once

// How a compiled graph runs: which subgraphs follow each other, and which tensors cross between them.

#include <cstddef>
#include <nerone/xmodel.hpp>
#include <set>
#include <vector>

namespace nerone::model {

struct Link {
  const xmodel::Subgraph* subgraph = nullptr;
  std::vector<std::size_t> inputs;   // ops whose tensors it reads from outside, ascending
  std::vector<std::size_t> outputs;  // ops whose tensors are read outside, or by nobody, ascending; no constants
};

struct Chain {
  std::vector<Link> links;           // in an order in which they can run, USER ones included
  std::vector<std::size_t> inputs;   // ops of the USER subgraphs: the model's inputs
  std::vector<std::size_t> outputs;  // ops whose tensors nobody reads: the model's outputs
};

// ModelError where the graph is not partitioned, subgraphs wait for each other, or a device is unknown.
Chain chain_of(const xmodel::Graph& graph);

// The chain through its first DPU subgraph. ModelError where it has none.
Chain until_first_dpu(Chain chain);

}  // namespace nerone::model
