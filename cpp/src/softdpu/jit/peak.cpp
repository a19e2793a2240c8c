#include "softdpu/jit/peak.hpp"

#include <xbyak/xbyak.h>

namespace nerone::softdpu::jit {
namespace {

constexpr int rounds = 4000;
constexpr int sums = 24;  // more than the latency of one dot product hides
constexpr int macs_per_instruction = 64;

}  // namespace

class PeakLoop::Generator : public Xbyak::CodeGenerator {
 public:
  Generator() : CodeGenerator(4096, Xbyak::AutoGrow) {
    for (int i = 0; i < 32; ++i) vpxord(Xbyak::Zmm(i), Xbyak::Zmm(i), Xbyak::Zmm(i));
    mov(ecx, rounds);
    Xbyak::Label again;
    align(64);
    L(again);
    for (int i = 0; i < sums; ++i) vpdpbusd(Xbyak::Zmm(i), zmm30, zmm31);
    dec(ecx);
    jnz(again, T_NEAR);
    vzeroupper();
    ret();
    readyRE();
  }
};

PeakLoop::PeakLoop() : generator_(std::make_unique<Generator>()), run_(generator_->getCode<void (*)()>()) {}

PeakLoop::~PeakLoop() = default;

std::int64_t PeakLoop::macs() const { return std::int64_t{rounds} * sums * macs_per_instruction; }

}  // namespace nerone::softdpu::jit
