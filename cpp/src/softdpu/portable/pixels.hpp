#pragma once

// Vectorised loops over int8, chosen at run time. All sizes in elements, no alignment needed.

#include <cstdint>

#include "softdpu/portable/narrow.hpp"

namespace nerone::softdpu::portable {

// y = narrow(x)
void requantize(const std::int8_t* source, std::int64_t count, const Narrow& narrow, std::int8_t* destination);

// x = narrow(x)
void requantize_in_place(std::int8_t* data, std::int64_t count, const Narrow& narrow);

// y = max(y, x)
void maximum(const std::int8_t* source, std::int64_t count, std::int8_t* destination);

// y[i] = max(y[i], x[i * source_step]) for pixels of so many channels
void maximum_pixels(const std::int8_t* source, std::int64_t source_step, std::int64_t pixels, std::int64_t channels,
                    std::int8_t* destination);

// sums += x
void accumulate(const std::int8_t* source, std::int64_t count, std::int32_t* sums);

// sums += (4 * x) >> shift, shift at most 31
void accumulate_shifted(const std::int8_t* source, std::int64_t count, int shift, std::int32_t* sums);

// products *= x
void multiply(const std::int8_t* source, std::int64_t count, std::int32_t* products);

// y = narrow(factor * v)
void narrow_all(const std::int32_t* values, std::int64_t count, std::int32_t factor, const Narrow& narrow,
                std::int8_t* destination);

// Copies `count` blocks of `block` bytes from and to places a step apart.
void copy_blocks(const std::int8_t* source, std::int64_t source_step, std::int8_t* destination,
                 std::int64_t destination_step, std::int64_t block, std::int64_t count);

}  // namespace nerone::softdpu::portable
