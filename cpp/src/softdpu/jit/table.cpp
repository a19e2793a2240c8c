#include "softdpu/jit/table.hpp"

#define NERONE_VECTOR_KERNELS "softdpu/jit/table-inl.hpp"
#include "softdpu/jit/foreach_vector.hpp"

namespace nerone::softdpu::jit {

void look_up(Isa isa, const ConstImage& input, const ByteTable& table, const Image& output, const Range& rows) {
  (isa == Isa::avx512_vnni ? avx512::look_up : avx2::look_up)(input, table, output, rows);
}

}  // namespace nerone::softdpu::jit
