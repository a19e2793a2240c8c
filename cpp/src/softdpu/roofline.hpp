#pragma once

// The most this core can do, measured on the spot. One thread; a busy machine gives less.

#include <cstddef>

namespace nerone::softdpu {

// Billions of int8 multiply-accumulates a second from registers, with the fastest instructions that the jit kernels
// have here: vpdpbusd on 512 or 256 bits, or vpmaddwd; 0 where there are none.
double peak_gmacs(double seconds);

// Bytes read plus bytes written a second, in billions, of a copy between two buffers of that size.
double copy_gbs(std::size_t buffer_bytes, double seconds);

}  // namespace nerone::softdpu
