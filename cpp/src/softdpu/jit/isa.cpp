#include "softdpu/jit/isa.hpp"

#include <cpuid.h>

#include <exception>

#include "softdpu/jit/peak.hpp"

namespace nerone::softdpu::jit {
namespace {

constexpr Isa fastest_first[] = {Isa::avx512_vnni, Isa::avx_vnni, Isa::avx2};

// A hardened system may refuse memory that is written and then executed.
bool may_run_generated_code() {
  static const bool may = [] {
    try {
      const PeakLoop loop(Isa::avx2);
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }();
  return may;
}

// Not every compiler's __builtin_cpu_supports knows it: leaf 7, subleaf 1, EAX bit 4.
bool has_avx_vnni() {
  constexpr unsigned bit = 1U << 4;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & bit) != 0;
}

}  // namespace

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::avx512_vnni:
      return "avx512";
    case Isa::avx_vnni:
      return "avx-vnni";
    case Isa::avx2:
      return "avx2";
  }
  return "unknown";
}

const char* products_of(Isa isa) {
  switch (isa) {
    case Isa::avx512_vnni:
      return "vnni";
    case Isa::avx_vnni:
      return "avx-vnni";
    case Isa::avx2:
      return "avx2";
  }
  return "unknown";
}

CpuFeatures cpu_features() {
  CpuFeatures features;
  features.avx2 = __builtin_cpu_supports("avx2") != 0;
  features.avx_vnni = features.avx2 && has_avx_vnni();
  features.avx512_vnni = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
                         __builtin_cpu_supports("avx512vnni") != 0;
  return features;
}

bool has(const CpuFeatures& features, Isa isa) {
  switch (isa) {
    case Isa::avx512_vnni:
      return features.avx512_vnni;
    case Isa::avx_vnni:
      return features.avx2 && features.avx_vnni;
    case Isa::avx2:
      return features.avx2;
  }
  return false;
}

std::optional<Isa> best_isa(const CpuFeatures& features) {
  for (const auto isa : fastest_first) {
    if (has(features, isa)) return isa;
  }
  return std::nullopt;
}

bool is_supported(Isa isa) {
  static const CpuFeatures features = cpu_features();
  return has(features, isa) && may_run_generated_code();
}

std::optional<Isa> best_isa() {
  for (const auto isa : fastest_first) {
    if (is_supported(isa)) return isa;
  }
  return std::nullopt;
}

}  // namespace nerone::softdpu::jit
