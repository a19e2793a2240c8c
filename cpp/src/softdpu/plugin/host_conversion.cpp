#include "softdpu/plugin/host_conversion.hpp"

#include <cmath>

namespace nerone::softdpu {

void truncate_to_int8(const float* values, std::int64_t count, int fix_point, std::int8_t* result) {
  const float scale = std::ldexp(1.0F, fix_point);
  for (std::int64_t i = 0; i < count; ++i) {
    float scaled = values[i] * scale;
    scaled = scaled == scaled ? scaled : 0.0F;
    // The float just below 2^31; the saturated 2^31 - 1 has the low byte 0xff.
    constexpr float highest = 2147483520.0F;
    const auto whole = scaled > highest          ? std::int32_t{0x7fffffff}
                       : scaled < -2147483648.0F ? -2147483647 - 1
                                                 : static_cast<std::int32_t>(scaled);
    const auto low = static_cast<std::uint8_t>(static_cast<std::uint32_t>(whole) & 0xffU);
    result[i] = static_cast<std::int8_t>(low < 128 ? low : low - 256);
  }
}

void to_float(const std::int8_t* values, std::int64_t count, int fix_point, float* result) {
  const float scale = std::ldexp(1.0F, -fix_point);
  for (std::int64_t i = 0; i < count; ++i) result[i] = static_cast<float>(values[i]) * scale;
}

}  // namespace nerone::softdpu
