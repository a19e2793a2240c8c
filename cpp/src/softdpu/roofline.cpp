#include "softdpu/roofline.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>

#include "base/aligned_buffer.hpp"
#include "softdpu/engine.hpp"

#ifdef NERONE_SOFTDPU_JIT
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/peak.hpp"
#endif

namespace nerone::softdpu {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_of(const std::function<void()>& work) {
  const auto before = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - before).count();
}

// The fastest of as many runs as the time allows: others disturb, nobody helps.
double fastest(double seconds, const std::function<void()>& work) {
  double best = seconds_of(work);
  for (double spent = best; spent < seconds;) {
    const double one = seconds_of(work);
    best = std::min(best, one);
    spent += one;
  }
  return best;
}

}  // namespace

double peak_gmacs(double seconds) {
#ifdef NERONE_SOFTDPU_JIT
  if (const auto isa = jit::best_isa()) {
    const jit::PeakLoop loop(*isa);
    return static_cast<double>(loop.macs()) / fastest(seconds, [&] { loop(); }) / 1e9;
  }
#endif
  static_cast<void>(seconds);
  return 0;
}

double copy_gbs(std::size_t buffer_bytes, double seconds) {
  AlignedBuffer from(buffer_bytes), to(buffer_bytes);
  const double best = fastest(seconds, [&] {
    std::memcpy(to.data(), from.data(), buffer_bytes);
    // The copy must happen although nobody reads it.
    asm volatile("" : : "r"(to.data()) : "memory");
  });
  return 2.0 * static_cast<double>(buffer_bytes) / best / 1e9;
}

}  // namespace nerone::softdpu
