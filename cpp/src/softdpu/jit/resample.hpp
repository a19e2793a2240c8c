#pragma once

#include <vector>

#include "softdpu/jit/image.hpp"
#include "softdpu/jit/isa.hpp"

namespace nerone::softdpu::jit {

// output[y][x] = input[rows[y]][columns[x]]: nearest-neighbour enlargement or reduction.
void resample(Isa isa, const ConstImage& input, const std::vector<int>& rows, const std::vector<int>& columns,
              const Image& output);

}  // namespace nerone::softdpu::jit
