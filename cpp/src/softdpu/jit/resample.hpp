#pragma once

#include <vector>

#include "softdpu/jit/image.hpp"
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/range.hpp"

namespace nerone::softdpu::jit {

// Nearest-neighbour enlargement or reduction, or padding, of some rows y: output[y][x] = input[rows[y]][columns[x]],
// the byte `fill` in all channels where one of the two is negative.
void resample(Isa isa, const ConstImage& input, const std::vector<int>& rows, const std::vector<int>& columns,
              const Image& output, std::uint8_t fill = zero_byte, const Range& output_rows = every_row);

}  // namespace nerone::softdpu::jit
