#pragma once

// Constants behind the code of a ConvKernel. An instruction set keeps those it needs, as dwords or as whole registers.

#include <cstdint>

#include "softdpu/jit/requantize.hpp"

namespace nerone::softdpu::jit {

enum class ConvConstant {
  zeros,      // bytes of the value 0
  transpose,  // byte i of dword j comes from byte j of dword i, within 16 bytes
  low_bytes,
  high_byte,  // the largest byte that the activation leaves
  most,       // bounds of a sum that is doubled or shifted to the left
  least,
  leaky_factor,
  leaky_round,
  round,
  without_flip,
  word_ones,
  even_ones,      // words 1, 0, 1, 0 ...
  odd_ones,       // words 0, 1, 0, 1 ...
  pair_transpose  // of two pixels' even channels and their odd ones, four bytes each, twice: four pixels
};

// One dword of a register that is filled with the constant.
std::uint32_t dword_of(ConvConstant constant, const Requantize& requantize, int dword);

}  // namespace nerone::softdpu::jit
