#include "softdpu/jit/isa.hpp"

#include <gtest/gtest.h>

#include "softdpu/engine.hpp"
#include "softdpu/jit/engine.hpp"

namespace nerone::softdpu::jit {
namespace {

constexpr Isa all[] = {Isa::avx512_vnni, Isa::avx_vnni, Isa::avx2};

TEST(Dispatch, TakesTheFastestThatTheProcessorHas) {
  EXPECT_EQ(best_isa(CpuFeatures{}), std::nullopt);
  EXPECT_EQ(best_isa({true, false, false}), Isa::avx2);
  EXPECT_EQ(best_isa({true, true, false}), Isa::avx_vnni);
  EXPECT_EQ(best_isa({true, false, true}), Isa::avx512_vnni);
  EXPECT_EQ(best_isa({true, true, true}), Isa::avx512_vnni);
}

TEST(Dispatch, TakesNothingThatTheProcessorLacks) {
  for (int mask = 0; mask < 8; ++mask) {
    const CpuFeatures features{(mask & 1) != 0, (mask & 2) != 0, (mask & 4) != 0};
    EXPECT_FALSE(has(features, Isa::avx2) && !features.avx2) << mask;
    EXPECT_FALSE(has(features, Isa::avx_vnni) && !(features.avx2 && features.avx_vnni)) << mask;
    EXPECT_FALSE(has(features, Isa::avx512_vnni) && !features.avx512_vnni) << mask;
    const auto best = best_isa(features);
    EXPECT_TRUE(!best || has(features, *best)) << mask;
  }
}

TEST(Dispatch, FollowsThisProcessor) {
  const auto features = cpu_features();
  for (const auto isa : all) {
    EXPECT_FALSE(is_supported(isa) && !has(features, isa)) << name_of(isa);
    // Nothing is planned for instructions that are not there.
    EXPECT_EQ(make_jit_engine(isa, Program{}) != nullptr, is_supported(isa)) << name_of(isa);
  }
}

TEST(Dispatch, NamesEveryInstructionSetsKernels) {
  for (const auto isa : all) {
    EXPECT_EQ(isa_of(kernels_of(isa)), isa);
    EXPECT_EQ(kernels_from(softdpu::name_of(kernels_of(isa))), kernels_of(isa));
  }
  for (const auto kernels : {Kernels::automatic, Kernels::scalar, Kernels::portable, Kernels::onednn}) {
    EXPECT_EQ(isa_of(kernels), std::nullopt);
  }
}

}  // namespace
}  // namespace nerone::softdpu::jit
