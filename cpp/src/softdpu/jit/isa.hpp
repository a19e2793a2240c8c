#pragma once

// Which instructions generated code may use, and which of them this processor has.

#include <optional>

namespace nerone::softdpu::jit {

// avx512_vnni: 16 pixels in a register, products by vpdpbusd. avx_vnni: 8 pixels, the same instruction. avx2: 8 pixels,
// products of 16-bit words by vpmaddwd, which nothing saturates.
enum class Isa { avx512_vnni, avx_vnni, avx2 };

const char* name_of(Isa isa);
// What a profile calls the kernels that multiply with it.
const char* products_of(Isa isa);

// Pixels in a register.
constexpr int lanes_of(Isa isa) { return isa == Isa::avx512_vnni ? 16 : 8; }

// What the processor has and the system lets programs use.
struct CpuFeatures {
  bool avx2 = false, avx_vnni = false;
  bool avx512_vnni = false;  // with F, BW, DQ and VL
};

CpuFeatures cpu_features();

bool has(const CpuFeatures& features, Isa isa);

// The fastest; nothing where no code can be generated.
std::optional<Isa> best_isa(const CpuFeatures& features);

// Whether this processor has the instructions, and the system lets generated code run.
bool is_supported(Isa isa = Isa::avx512_vnni);
std::optional<Isa> best_isa();

}  // namespace nerone::softdpu::jit
