#include "softdpu/roofline.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <functional>

#include "base/aligned_buffer.hpp"

#ifdef NERONE_SOFTDPU_JIT
#include "softdpu/jit/engine.hpp"
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/peak.hpp"
#endif

namespace nerone::softdpu {
namespace {

double seconds_of(const std::function<void()>& work) {
  const double before = processor_seconds();
  work();
  return processor_seconds() - before;
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

double processor_seconds() {
  std::timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double peak_gmacs(double seconds, Kernels kernels) {
#ifdef NERONE_SOFTDPU_JIT
  const auto named = jit::isa_of(kernels);
  if (const auto isa = named ? named : jit::best_isa()) {
    const jit::PeakLoop loop(*isa);
    return static_cast<double>(loop.macs()) / fastest(seconds, [&] { loop(); }) / 1e9;
  }
#endif
  static_cast<void>(seconds);
  static_cast<void>(kernels);
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
