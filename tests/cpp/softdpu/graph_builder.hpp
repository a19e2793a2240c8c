#pragma once

#include <cstdint>
#include <map>
#include <nerone/xmodel.hpp>
#include <random>
#include <string>
#include <vector>

#include "softdpu/engine.hpp"

namespace nerone::softdpu::testing {

using Dims = std::vector<std::int32_t>;
using Bytes8 = std::vector<std::int8_t>;

// A graph written by hand, op by op; each op's tensor has the op's name.
class GraphBuilder {
 public:
  std::size_t input(const std::string& name, Dims shape, int fix_point);
  std::size_t float_input(const std::string& name, Dims shape);
  std::size_t constant(const std::string& name, Dims shape, int fix_point, const Bytes8& values);
  std::size_t op(const std::string& type, const std::string& name, Dims shape, int fix_point, xmodel::Attrs attrs,
                 std::map<std::string, std::vector<std::size_t>> inputs);
  // A convolution of stride 1 without pads.
  std::size_t conv(const std::string& name, std::size_t source, Dims shape, int fix_point, Dims kernel,
                   const Bytes8& weights, int weights_fix_point, const std::string& nonlinear = "NONE");

  // With an input in a USER and the rest in a DPU subgraph, as files have it.
  xmodel::Graph file(const std::string& dpu_name = "DPUCZDX8G_NERONE") const;

  xmodel::Graph graph;

 private:
  std::size_t add(xmodel::Op op, Dims shape, const std::string& data_type);
};

// The engines that this processor has.
std::vector<Kernels> engines();
// Their names, as names of tests may be.
std::string test_name_of(Kernels kernels);

Bytes8 random_bytes(std::size_t count, std::uint32_t seed);

// Runs a graph with one output; inputs in the order of their names.
Bytes8 run(const xmodel::Graph& graph, Kernels kernels, const std::vector<Bytes8>& inputs);

}  // namespace nerone::softdpu::testing
