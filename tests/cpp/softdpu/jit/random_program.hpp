#pragma once

#include "random_conv.hpp"
#include "softdpu/program.hpp"

namespace nerone::test {

// A program of up to `steps` random ops on images that read each other's results in many ways: concatenations with and
// without requantization and of one tensor twice, sums, products, sigmoids, pools, upsampling,
// copies, ops without a packed kernel.
softdpu::Program random_program(Random& random, int steps);

}  // namespace nerone::test
