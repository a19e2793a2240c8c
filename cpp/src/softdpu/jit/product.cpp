#include "softdpu/jit/product.hpp"

#define NERONE_VECTOR_KERNELS "softdpu/jit/product-inl.hpp"
#include "softdpu/jit/foreach_vector.hpp"

namespace nerone::softdpu::jit {

void multiply(Isa isa, const ConstImage& first, const ConstImage& second, const ProductRule& rule, const Image& output,
              const Range& rows) {
  (isa == Isa::avx512_vnni ? avx512::multiply : avx2::multiply)(first, second, rule, output, rows);
}

}  // namespace nerone::softdpu::jit
