#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <nerone/pipeline.hpp>

namespace nerone::pipeline {

// Durations counted in buckets of equal ratio (64 per doubling of a nanosecond), so that any number of them takes the
// same memory and a percentile is right within 2 %.
class Histogram {
 public:
  void add(std::chrono::nanoseconds duration);
  Durations durations() const;

 private:
  static constexpr int bits = 6;
  static constexpr std::size_t buckets = std::size_t{64 - bits} << bits;
  static std::size_t bucket_of(std::uint64_t nanoseconds);
  static double middle_ms(std::size_t bucket);

  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ns_ = 0;
  std::uint64_t max_ns_ = 0;
};

}  // namespace nerone::pipeline
