#pragma once

// Between float32 and int8: float2fix and fix (q), fix2float (q * 2^-fix_point). `fix` on a float tensor gives the
// quantized value back as float32.
//   q = clamp(round(x * 2^fix_point), -128, 127); STD_ROUND: half away from zero, DPU_ROUND: floor(x + 0.5),
//   PY3_ROUND: half to even. NaN gives 0.

#include <nerone/xmodel.hpp>

#include "softdpu/value.hpp"

namespace nerone::softdpu {

enum class RoundMode { half_away, half_up, half_even };

struct Quantize {
  RoundMode round_mode = RoundMode::half_up;
  int fix_point = 0;
  bool to_float = false;  // `fix`: the output is float32 again
  std::int64_t element_count = 0;
};

struct Dequantize {
  int fix_point = 0;
  std::int64_t element_count = 0;
};

Quantize parse_quantize(const xmodel::Op& op, const Value& input, const Value& output);
Dequantize parse_dequantize(const xmodel::Op& op, const Value& input, const Value& output);
std::int8_t quantize(float value, int fix_point, RoundMode round_mode);
void run_scalar(const Quantize& op, const float* input, void* output);
void run_scalar(const Dequantize& op, const std::int8_t* input, float* output);

}  // namespace nerone::softdpu
