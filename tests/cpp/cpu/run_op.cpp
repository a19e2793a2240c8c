#include "run_op.hpp"

#include <cstdlib>
#include <iostream>
#include <numeric>

#include "cpu/program.hpp"

namespace nerone::cpu::testing {

float Array::at(std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c) const {
  return values[static_cast<std::size_t>(((n * shape[1] + y) * shape[2] + x) * shape[3] + c)];
}

std::size_t count_of(const Dims& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, [](std::size_t count, std::int32_t extent) {
    return count * static_cast<std::size_t>(extent);
  });
}

int pick(Random& random, int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); }

Array random_array(Random& random, Dims shape) {
  Floats values(count_of(shape));
  for (auto& value : values) value = static_cast<float>(pick(random, -9, 9));
  return {std::move(shape), std::move(values)};
}

std::uint32_t seed_of_run() {
  static const std::uint32_t seed = [] {
    const char* given = std::getenv("NERONE_SEED");
    const auto chosen =
        given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
    std::cout << "NERONE_SEED=" << chosen << " repeats this run\n";
    return chosen;
  }();
  return seed;
}

xmodel::Op float_op(const std::string& name, const std::string& type, Dims shape, xmodel::Attrs attrs,
                    std::map<std::string, std::vector<std::size_t>> inputs) {
  xmodel::Op op{name, type, std::move(attrs), std::move(inputs), {}};
  op.output.name = name;
  op.output.shape = std::move(shape);
  op.output.data_type = "FLOAT32";
  return op;
}

Floats run_op(const std::string& type, const xmodel::Attrs& attrs,
              const std::vector<std::pair<std::string, Array>>& inputs, const Dims& output) {
  xmodel::Graph graph;
  std::map<std::string, std::vector<std::size_t>> roles;
  std::vector<const void*> from;
  for (const auto& [role, array] : inputs) {
    roles[role].push_back(graph.ops.size());
    graph.ops.push_back(float_op(role + std::to_string(graph.ops.size()), "data", array.shape));
    from.push_back(array.values.data());
  }
  graph.ops.push_back(float_op("y", type, output, attrs, roles));
  const xmodel::Subgraph subgraph{"cpu", {}, {graph.ops.size() - 1}, {}};
  auto program = Program::plan(graph, subgraph);
  Floats result(count_of(output));
  program.run(from, {result.data()});
  return result;
}

}  // namespace nerone::cpu::testing
