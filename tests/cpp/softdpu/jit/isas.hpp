#pragma once

#include <gtest/gtest.h>

#include <string>

#include "softdpu/jit/isa.hpp"

namespace nerone::test {

// Runs a test once for each instruction set of generated code; skips those that this processor does not have.
class ForEachIsa : public testing::TestWithParam<softdpu::jit::Isa> {
 protected:
  void SetUp() override {
    if (!is_supported(isa())) GTEST_SKIP() << "this processor has no " << name_of(isa());
  }
  static softdpu::jit::Isa isa() { return GetParam(); }
};

inline std::string test_name_of(softdpu::jit::Isa isa) {
  std::string name = name_of(isa);
  for (char& letter : name) letter = letter == '-' ? '_' : letter;
  return name;
}

}  // namespace nerone::test

#define NERONE_FOR_EACH_ISA(suite)                                                                                \
  INSTANTIATE_TEST_SUITE_P(Jit, suite,                                                                            \
                           testing::Values(nerone::softdpu::jit::Isa::avx512_vnni,                                \
                                           nerone::softdpu::jit::Isa::avx_vnni, nerone::softdpu::jit::Isa::avx2), \
                           [](const auto& chosen) { return nerone::test::test_name_of(chosen.param); })
