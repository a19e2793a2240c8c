#include <xbyak/xbyak.h>

#include "softdpu/jit/winograd.hpp"

namespace nerone::softdpu::jit {
namespace {

constexpr int elements = 16;
constexpr int registers = 2;  // of a pair
constexpr int register_bytes = 32;
constexpr int channels = group_channels;
constexpr int words_per_group = 2;  // pairs of channels
constexpr int biased_element = 5;   // every output pixel adds it once

}  // namespace

class WinogradProducts::Generator : public Xbyak::CodeGenerator {
 public:
  explicit Generator(const WinogradProducts& of) : CodeGenerator(4096, Xbyak::AutoGrow) {
    Xbyak::Label next_pair, next_element, next_group, biased, started;
    L(next_pair);
    mov(u_, rsi);
    mov(elements_left_, elements);
    L(next_element);
    cmp(elements_left_, elements - biased_element);
    je(biased);
    for (int sum = 0; sum < channels * registers; ++sum) vpxor(Xbyak::Ymm(sum), Xbyak::Ymm(sum), Xbyak::Ymm(sum));
    jmp(started);
    L(biased);
    for (int sum = 0; sum < channels * registers; ++sum)
      vpbroadcastd(Xbyak::Ymm(sum), ptr[bias_ + sum / registers * 4]);
    L(started);
    mov(groups_left_, of.groups_);
    align(32);
    L(next_group);
    for (int pair = 0; pair < words_per_group; ++pair) emit_products(pair);
    add(v_, words_per_group * registers * register_bytes);
    add(u_, words_per_group * channels * 4);
    dec(groups_left_);
    jnz(next_group, T_NEAR);
    for (int sum = 0; sum < channels * registers; ++sum) vmovdqa(ptr[m_ + sum * register_bytes], Xbyak::Ymm(sum));
    add(m_, channels * registers * register_bytes);
    add(v_, static_cast<std::uint32_t>(of.element_bytes()) -
                static_cast<std::uint32_t>(of.groups_ * words_per_group * registers * register_bytes));
    dec(elements_left_);
    jnz(next_element, T_NEAR);
    dec(pairs_left_);
    jnz(next_pair, T_NEAR);
    vzeroupper();
    ret();
    readyRE();
  }

 private:
  void emit_products(int pair) {
    for (int i = 0; i < registers; ++i) {
      vmovdqa(Xbyak::Ymm(first_pixels + i), ptr[v_ + (pair * registers + i) * register_bytes]);
    }
    for (int channel = 0; channel < channels; ++channel) {
      vpbroadcastd(weight_, ptr[u_ + (pair * channels + channel) * 4]);
      for (int i = 0; i < registers; ++i) {
        const Xbyak::Ymm sum(channel * registers + i), product(first_product + i);
        vpmaddwd(product, Xbyak::Ymm(first_pixels + i), weight_);
        vpaddd(sum, sum, product);
      }
    }
  }

  static constexpr int first_pixels = 8, first_product = 10;
  const Xbyak::Ymm weight_ = ymm12;
  const Xbyak::Reg64 v_ = rdi, m_ = rdx, pairs_left_ = rcx, bias_ = r8, u_ = r11;
  const Xbyak::Reg32 elements_left_ = r9d, groups_left_ = r10d;
};

WinogradProducts::WinogradProducts(int groups)
    : groups_(groups), generator_(std::make_unique<Generator>(*this)), run_(generator_->getCode<Run>()) {}

WinogradProducts::~WinogradProducts() = default;

// One cache line more than it holds, so that the elements of one group do not all meet the same set of the cache.
std::ptrdiff_t WinogradProducts::element_bytes() const {
  return static_cast<std::ptrdiff_t>(groups_) * words_per_group * registers * register_bytes + vector_bytes;
}

std::ptrdiff_t WinogradProducts::pair_bytes() const { return elements * element_bytes(); }

std::ptrdiff_t WinogradProducts::sums_bytes() { return elements * channels * registers * register_bytes; }

}  // namespace nerone::softdpu::jit
