#pragma once

// One instruction on banks and registers. Addresses have been checked.

#include <cstdint>
#include <vector>

#include "isa/memory.hpp"
#include "isa/program.hpp"

namespace nerone::isa {

// Scratch memory of one core.
struct Scratch {
  std::vector<std::int16_t> weights;  // of the last convolution: tap, pair of input channels, output channel, 2
  int weight_row = -1, weight_rows = 0;
  std::uint64_t weights_version = 0;
  std::vector<std::int16_t> lines;  // kernel_h lines of the window, padding included
  std::vector<std::int32_t> sums;
};

void load(const Transfer& transfer, const Machine& machine, Memory& memory);
void save(const Transfer& transfer, Memory& memory);
void convolve(const Convolution& convolution, const Machine& machine, Memory& memory, Scratch& scratch);
void depthwise(const Depthwise& depthwise, const Machine& machine, Memory& memory, Scratch& scratch);
void pool(const Pooling& pooling, const Machine& machine, Memory& memory, Scratch& scratch);
void hard_sigmoid(const HardSigmoid& sigmoid, const Machine& machine, Memory& memory);
void elementwise(const Elementwise& elementwise, const Machine& machine, Memory& memory);

void execute(const Operation& operation, const Machine& machine, Memory& memory, Scratch& scratch);

// The scale's result for a sum.
std::int8_t scaled(const Scale& scale, std::int64_t sum, std::int64_t bias);

}  // namespace nerone::isa
