// Compiles the file that NERONE_VECTOR_KERNELS names once for each instruction set, in a namespace of its own
// (NERONE_VECTORS), where the functions that use vectors carry NERONE_TARGET. No include guard.

#include <algorithm>

#include "softdpu/jit/avx2.hpp"
#include "softdpu/jit/avx512.hpp"
#include "softdpu/jit/image.hpp"

#define NERONE_VECTORS avx512
#define NERONE_TARGET NERONE_AVX512
#include "softdpu/jit/finish_row-inl.hpp"
#include "softdpu/jit/words-inl.hpp"
#include NERONE_VECTOR_KERNELS
#undef NERONE_VECTORS
#undef NERONE_TARGET

#define NERONE_VECTORS avx2
#define NERONE_TARGET NERONE_AVX2
#include "softdpu/jit/finish_row-inl.hpp"
#include "softdpu/jit/words-inl.hpp"
#include NERONE_VECTOR_KERNELS
#undef NERONE_VECTORS
#undef NERONE_TARGET
