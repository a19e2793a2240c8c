#pragma once

// Any function of single bytes: sigmoids, the products of a value with its own sigmoid.

#include <array>
#include <cstdint>

#include "softdpu/jit/image.hpp"
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/range.hpp"

namespace nerone::softdpu::jit {

// The stored byte that each stored byte becomes.
struct alignas(16) ByteTable {
  std::array<std::uint8_t, 256> bytes{};
};

void look_up(Isa isa, const ConstImage& input, const ByteTable& table, const Image& output,
             const Range& rows = every_row);

}  // namespace nerone::softdpu::jit
