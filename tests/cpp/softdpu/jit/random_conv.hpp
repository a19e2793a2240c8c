#pragma once

#include <random>
#include <string>

#include "softdpu/ops/conv.hpp"

namespace nerone::test {

using Random = std::mt19937_64;

inline int pick(Random& random, int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); }
inline bool chance(Random& random, double probability) { return std::bernoulli_distribution(probability)(random); }

// The seed of a run: NERONE_SEED, or a new one; it is printed with every failure.
std::uint64_t seed_of_run();
// How many cases: `few`, or NERONE_JIT_CASES.
int cases_of_run(int few);

std::vector<std::int8_t> random_bytes(Random& random, std::size_t count);
// Weights that leave room for chains of byte products.
softdpu::Int8Data smaller(std::vector<std::int8_t> weights, int shift);
// A convolution with random sizes of 1 to 70, channels 1 to 40, kernel, strides, pads, dilation, shifts, activation.
softdpu::Conv random_conv(Random& random);
// A 3x3 convolution of stride 1 that keeps the size, with random weights, shifts and activation.
softdpu::Conv same_conv(Random& random, const softdpu::Extents& input, int channels);
std::string describe(const softdpu::Conv& conv);

}  // namespace nerone::test
