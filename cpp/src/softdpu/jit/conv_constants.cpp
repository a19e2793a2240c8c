#include "softdpu/jit/conv_constants.hpp"

#include "softdpu/jit/layout.hpp"

namespace nerone::softdpu::jit {
namespace {

constexpr std::uint32_t each_byte = 0x01010101U;
// No overflow below, and saturation above, whatever follows.
constexpr std::int32_t left_limit = 1 << 16;

}  // namespace

std::uint32_t dword_of(ConvConstant constant, const Requantize& requantize, int dword) {
  const int shift = requantize.shift;
  const bool leaky = requantize.kind == Requantize::Kind::leaky;
  switch (constant) {
    case ConvConstant::zeros:
      return zero_byte * each_byte;
    case ConvConstant::transpose:
      return 0x0C080400U + static_cast<std::uint32_t>(dword % 4) * each_byte;
    case ConvConstant::low_bytes:
      return 0x00FF00FFU;
    case ConvConstant::high_byte:
      return requantize.high * each_byte;
    case ConvConstant::most:
      return static_cast<std::uint32_t>(leaky ? 1 << (shift + 8) : left_limit);
    case ConvConstant::least:
      return static_cast<std::uint32_t>(leaky ? -(1 << (shift + 11)) : -left_limit);
    case ConvConstant::leaky_factor:
      return leaky_numerator;
    case ConvConstant::leaky_round:
      return leaky ? 1U << (shift + 8) : 0;
    case ConvConstant::round:
      return leaky ? 1U << shift : 0;
    case ConvConstant::without_flip:
      return 0x7FU * each_byte;
    case ConvConstant::word_ones:
      return 0x00010001U;
    case ConvConstant::even_ones:
      return 0x00000001U;
    case ConvConstant::odd_ones:
      return 0x00010000U;
    case ConvConstant::pair_transpose:
      return 0x05010400U + static_cast<std::uint32_t>(dword % 2 * 2 + dword % 4 / 2 * 8) * each_byte;
  }
  return 0;
}

}  // namespace nerone::softdpu::jit
