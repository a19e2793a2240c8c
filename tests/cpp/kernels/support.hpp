#pragma once

#include <gtest/gtest.h>
#include <hwy/highway.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <nerone/tensor.hpp>
#include <vector>

namespace nerone::kernels::testing {

// Runs the test once per instruction set that was built and that this machine has.
template <typename Test>
void for_each_target(Test&& test) {
  std::int64_t available = hwy::SupportedTargets();
  int tried = 0;
#if HWY_ARCH_X86
  const std::int64_t built[] = {HWY_SSE4, HWY_AVX2, HWY_AVX3};
#else
  const std::int64_t built[] = {HWY_NEON};
#endif
  for (const std::int64_t target : built) {
    if ((available & target) == 0) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    SCOPED_TRACE(hwy::TargetName(target));
    test();
    ++tried;
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  ASSERT_GT(tried, 0);
}

// xorshift64*: the same numbers on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2654435769U + 88172645463325252U) {}
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 2685821657736338717U;
  }
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(next() >> 33) % limit; }
  float real(float low, float high) {
    return low + (high - low) * (static_cast<float>(next() >> 40) * (1.0F / 16777216.0F));
  }

 private:
  std::uint64_t state_;
};

inline const std::vector<DType>& pixel_types() {
  static const std::vector<DType> types = {DType::uint8, DType::int8,  DType::uint16,
                                           DType::int16, DType::int32, DType::float32};
  return types;
}

// Every vector width has its edges among these.
inline const std::vector<std::size_t>& sizes() {
  static const std::vector<std::size_t> all = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 255, 257};
  return all;
}

// Pixels of a type that start `offset` items behind an allocation's start, and end with it (so that ASan sees a read
// behind).
class Pixels {
 public:
  Pixels(DType dtype, std::size_t count, std::size_t offset, Random& random)
      : bytes_((count + offset) * size_of(dtype)), start_(offset * size_of(dtype)) {
    for (auto& byte : bytes_) byte = static_cast<std::uint8_t>(random.next() >> 56);
    if (dtype != DType::float32) return;
    for (std::size_t i = 0; i < count; ++i) {
      const float special[] = {std::numeric_limits<float>::quiet_NaN(),
                               std::numeric_limits<float>::infinity(),
                               -std::numeric_limits<float>::infinity(),
                               0.0F,
                               -0.0F,
                               0.5F,
                               1e38F,
                               1e-42F};
      const float value = random.below(8) == 0 ? special[random.below(8)] : random.real(-700.0F, 1200.0F);
      std::memcpy(bytes_.data() + start_ + i * 4, &value, 4);
    }
  }
  const void* data() const { return bytes_.data() + start_; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t start_;
};

inline void expect_same_bits(const std::vector<float>& got, const std::vector<float>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    std::uint32_t a;
    std::uint32_t b;
    std::memcpy(&a, &got[i], 4);
    std::memcpy(&b, &expected[i], 4);
    ASSERT_EQ(a, b) << "at " << i << ": " << got[i] << " where " << expected[i] << " was expected";
  }
}

}  // namespace nerone::kernels::testing
