#pragma once

#include <cstdint>

namespace nerone::softdpu {

// Conversion by the boards' runner of float32 given for an int8 input: x * 2^fix_point towards zero, no saturation.
// Where it leaves that to the processor this is what an AArch64 one does: saturate to int32, keep the low 8 bits, NaN
// is 0.
void truncate_to_int8(const float* values, std::int64_t count, int fix_point, std::int8_t* result);

// value * 2^-fix_point
void to_float(const std::int8_t* values, std::int64_t count, int fix_point, float* result);

}  // namespace nerone::softdpu
