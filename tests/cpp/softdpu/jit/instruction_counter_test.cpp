#include "../../../../benchmarks/cpp/instruction_counter.hpp"

#include <gtest/gtest.h>
#include <xbyak/xbyak.h>

#include <cstdlib>

#include "softdpu/jit/engine.hpp"

namespace nerone::benchmarks {
namespace {

class SomeCode : public Xbyak::CodeGenerator {
 public:
  SomeCode(int dot_products, int others) {
    for (int i = 0; i < dot_products; ++i) vpdpbusd(Xbyak::Zmm(i % 4), zmm30, zmm31);
    for (int i = 0; i < others; ++i) vpaddd(Xbyak::Zmm(i % 4), zmm30, zmm31);
    vpdpwssd(zmm0, zmm30, zmm31);  // one byte beside it
    vzeroupper();
    ret();
  }
};

TEST(InstructionCounter, TellsDotProductsFromOthers) {
  if (!softdpu::jit::is_supported()) GTEST_SKIP() << "this processor has no AVX-512 VNNI";
  const SomeCode short_code(5, 3), long_code(50, 300);
  const auto few = count_instructions([&] { short_code.getCode<void (*)()>()(); });
  const auto many = count_instructions([&] { long_code.getCode<void (*)()>()(); });
  if (!few || !many) GTEST_SKIP() << "this system lets no process be traced";
  EXPECT_EQ(few->dot_products, 5);
  EXPECT_EQ(many->dot_products, 50);
  EXPECT_EQ(many->instructions - few->instructions, 45 + 297);
}

TEST(InstructionCounter, CountsNothingOfNothing) {
  const auto found = count_instructions([] {});
  if (!found) GTEST_SKIP() << "this system lets no process be traced";
  EXPECT_EQ(found->dot_products, 0);
  EXPECT_LT(std::abs(found->instructions), 50);
}

TEST(InstructionCounter, SaysThatWorkDidNotEnd) {
  EXPECT_FALSE(count_instructions([] { std::_Exit(3); }));
}

}  // namespace
}  // namespace nerone::benchmarks
