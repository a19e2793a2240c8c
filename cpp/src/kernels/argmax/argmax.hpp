#pragma once

#include <cstddef>
#include <cstdint>

namespace nerone::kernels {

// For each pixel p: the lowest c with values[p * channels + c] = max over the channels. channels is 1 to 256.
void argmax(const std::int8_t* values, std::size_t pixels, std::size_t channels, std::uint8_t* classes);

// As above for real values; a pixel with a NaN gives its first NaN, as numpy does.
void argmax(const float* values, std::size_t pixels, std::size_t channels, std::uint8_t* classes);

// As above for 1 to 65536 channels; plain code, for networks that classify whole images.
void argmax_wide(const std::int8_t* values, std::size_t pixels, std::size_t channels, std::uint16_t* classes);
void argmax_wide(const float* values, std::size_t pixels, std::size_t channels, std::uint16_t* classes);

namespace scalar {
void argmax(const std::int8_t* values, std::size_t pixels, std::size_t channels, std::uint8_t* classes);
}  // namespace scalar

}  // namespace nerone::kernels
