#pragma once

// The most this core can do, measured on the spot by the processor time of one thread.

#include <cstddef>

#include "softdpu/engine.hpp"

namespace nerone::softdpu {

// Processor time of this thread: others that take the processor do not count.
double processor_seconds();

// Billions of int8 multiply-accumulates a second from registers, with the fastest instructions that the jit kernels
// have here: vpdpbusd on 512 or 256 bits, or vpmaddwd; 0 where there are none.
// `kernels` of one of jit's instruction sets have that set's; this processor has to have it.
double peak_gmacs(double seconds, Kernels kernels = Kernels::automatic);

// Bytes read plus bytes written a second, in billions, of a copy between two buffers of that size.
double copy_gbs(std::size_t buffer_bytes, double seconds);

}  // namespace nerone::softdpu
