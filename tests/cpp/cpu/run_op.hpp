#pragma once

#include <nerone/xmodel.hpp>
#include <random>
#include <string>
#include <vector>

namespace nerone::cpu::testing {

using Floats = std::vector<float>;
using Dims = std::vector<std::int32_t>;
using Random = std::mt19937;

struct Array {
  Dims shape;
  Floats values;

  float at(std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c) const;
};

std::size_t count_of(const Dims& shape);
int pick(Random& random, int low, int high);
// Whole numbers: sums and products of a few are exact in float32, in any order.
Array random_array(Random& random, Dims shape);

// A seed of NERONE_SEED, or a new one, which is printed.
std::uint32_t seed_of_run();

xmodel::Op float_op(const std::string& name, const std::string& type, Dims shape, xmodel::Attrs attrs = {},
                    std::map<std::string, std::vector<std::size_t>> inputs = {});

// One op of a CPU subgraph; all its inputs are given.
Floats run_op(const std::string& type, const xmodel::Attrs& attrs,
              const std::vector<std::pair<std::string, Array>>& inputs, const Dims& output);

}  // namespace nerone::cpu::testing
