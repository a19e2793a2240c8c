#include "pipeline/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace nerone::pipeline {

// Below 128 ns a bucket is a nanosecond; above, the six bits behind the leading one choose it.
std::size_t Histogram::bucket_of(std::uint64_t nanoseconds) {
  constexpr std::uint64_t exact = std::uint64_t{2} << bits;
  if (nanoseconds < exact) return static_cast<std::size_t>(nanoseconds);
  int shift = 0;
  for (auto left = nanoseconds; left >= exact; left >>= 1) ++shift;
  const auto bucket = (static_cast<std::size_t>(shift) << bits) + static_cast<std::size_t>(nanoseconds >> shift);
  return std::min(bucket, buckets - 1);
}

double Histogram::middle_ms(std::size_t bucket) {
  constexpr std::size_t exact = std::size_t{2} << bits;
  if (bucket < exact) return static_cast<double>(bucket) * 1e-6;
  const auto shift = (bucket >> bits) - 1;
  const auto lead = bucket - (shift << bits);
  return std::ldexp(static_cast<double>(lead) + 0.5, static_cast<int>(shift)) * 1e-6;
}

void Histogram::add(std::chrono::nanoseconds duration) {
  const auto nanoseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
  ++counts_[bucket_of(nanoseconds)];
  ++count_;
  sum_ns_ += nanoseconds;
  max_ns_ = std::max(max_ns_, nanoseconds);
}

Durations Histogram::durations() const {
  Durations durations;
  if (count_ == 0) return durations;
  durations.max_ms = static_cast<double>(max_ns_) * 1e-6;
  durations.mean_ms = static_cast<double>(sum_ns_) * 1e-6 / static_cast<double>(count_);
  const auto percentile = [&](double share) {
    const auto wanted =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
      seen += counts_[bucket];
      if (seen >= wanted) return std::min(middle_ms(bucket), durations.max_ms);
    }
    return durations.max_ms;
  };
  durations.p50_ms = percentile(0.50);
  durations.p90_ms = percentile(0.90);
  durations.p99_ms = percentile(0.99);
  return durations;
}

}  // namespace nerone::pipeline
