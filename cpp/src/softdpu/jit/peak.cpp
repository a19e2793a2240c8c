#include "softdpu/jit/peak.hpp"

#include <xbyak/xbyak.h>

namespace nerone::softdpu::jit {
namespace {

constexpr int rounds = 40000;
constexpr int macs_per_lane = 4;

// More than the latency of one dot product hides; as many as the registers allow.
int sums_of(Isa isa) { return isa == Isa::avx512_vnni ? 24 : isa == Isa::avx_vnni ? 12 : 8; }

}  // namespace

class PeakLoop::Generator : public Xbyak::CodeGenerator {
 public:
  explicit Generator(Isa isa) : CodeGenerator(4096, Xbyak::AutoGrow) {
    const int registers = isa == Isa::avx512_vnni ? 32 : 16;
    for (int i = 0; i < registers; ++i) {
      if (isa == Isa::avx512_vnni) {
        vpxord(Xbyak::Zmm(i), Xbyak::Zmm(i), Xbyak::Zmm(i));
      } else {
        vpxor(Xbyak::Ymm(i), Xbyak::Ymm(i), Xbyak::Ymm(i));
      }
    }
    mov(ecx, rounds);
    Xbyak::Label again;
    align(64);
    L(again);
    for (int i = 0; i < sums_of(isa); ++i) emit_dot(isa, i);
    dec(ecx);
    jnz(again, T_NEAR);
    vzeroupper();
    ret();
    readyRE();
  }

 private:
  void emit_dot(Isa isa, int sum) {
    if (isa == Isa::avx512_vnni) return vpdpbusd(Xbyak::Zmm(sum), zmm30, zmm31);
    if (isa == Isa::avx_vnni) return vpdpbusd(Xbyak::Ymm(sum), ymm14, ymm15, Xbyak::VexEncoding);
    const Xbyak::Ymm product(8 + sum % 6);
    for (int half = 0; half < 2; ++half) {
      vpmaddwd(product, ymm14, ymm15);
      vpaddd(Xbyak::Ymm(sum), Xbyak::Ymm(sum), product);
    }
  }
};

PeakLoop::PeakLoop(Isa isa)
    : isa_(isa), generator_(std::make_unique<Generator>(isa)), run_(generator_->getCode<void (*)()>()) {}

PeakLoop::~PeakLoop() = default;

std::int64_t PeakLoop::macs() const { return std::int64_t{rounds} * sums_of(isa_) * lanes_of(isa_) * macs_per_lane; }

}  // namespace nerone::softdpu::jit
