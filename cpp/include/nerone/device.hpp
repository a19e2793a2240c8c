#pragma once

#include <cstdint>
#include <nerone/export.hpp>
#include <string>

namespace nerone {

// The device behind VART, and how a software device behaves. A board ignores everything but `device`.
struct DeviceOptions {
  // "softdpu": the software DPU; "board": the vendor's runner that the model names; otherwise the path of a runner
  // library.
  std::string device = "softdpu";
  std::string kernels = "auto";  // which kernels the software DPU uses; "scalar" is the reference
  int cores = 0;                 // simulated board: jobs that run at once, 0 for no limit
  int job_latency_us = 0;        // simulated board: how long a job occupies its core, 0 for as long as it takes
  bool compute = true;           // false: a job only takes its time, outputs are left as they are
  int threads_per_image = 1;     // of the software DPU's jit kernels: 1 to 64 threads share the work on one image
};

// The vector instructions that the kernels take on this processor, as Highway names them: "AVX2", "NEON"; "EMU128" or
// "SCALAR" where it has none that they know.
NERONE_EXPORT std::string simd_target();

}  // namespace nerone
