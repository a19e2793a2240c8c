#include "softdpu/jit/sum.hpp"

#include <algorithm>

namespace nerone::softdpu::jit {
namespace {

// Nothing is cut off the inputs, and all offsets fit one 16-bit constant with the rounding and the output's own.
bool is_plain(const SumRule& rule) {
  const bool whole =
      std::all_of(rule.input_shifts.begin(), rule.input_shifts.end(), [](int shift) { return shift <= 2; });
  return whole && rule.input_shifts.size() <= 4 && rule.shift > 0 && rule.shift <= 6;
}

std::int16_t plain_offset(const SumRule& rule) {
  int offset = (zero_byte << rule.shift) + (1 << (rule.shift - 1));
  for (const int shift : rule.input_shifts) offset -= zero_byte << (2 - shift);
  return static_cast<std::int16_t>(offset);
}

}  // namespace
}  // namespace nerone::softdpu::jit

#define NERONE_VECTOR_KERNELS "softdpu/jit/sum-inl.hpp"
#include "softdpu/jit/foreach_vector.hpp"

namespace nerone::softdpu::jit {

void sum(Isa isa, const ConstImage* inputs, const SumRule& rule, const Image& output, const Range& rows) {
  (isa == Isa::avx512_vnni ? avx512::sum : avx2::sum)(inputs, rule, output, rows);
}

}  // namespace nerone::softdpu::jit
