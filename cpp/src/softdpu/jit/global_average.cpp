#include "softdpu/jit/global_average.hpp"

#include <array>

#include "softdpu/fixed.hpp"

#define NERONE_VECTOR_KERNELS "softdpu/jit/global_average-inl.hpp"
#include "softdpu/jit/foreach_vector.hpp"

namespace nerone::softdpu::jit {

void average(Isa isa, const ConstImage& input, const AverageRule& rule, const Image& output, const Range& groups) {
  (isa == Isa::avx512_vnni ? avx512::average : avx2::average)(input, rule, output, groups);
}

}  // namespace nerone::softdpu::jit
