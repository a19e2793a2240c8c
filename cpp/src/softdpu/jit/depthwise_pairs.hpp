#pragma once

// Depthwise convolutions by products of bytes, for AVX2: vpmaddubsw multiplies two taps of a channel with their weights
// and adds them in 16 bits, for all four channels of a group at once. With inputs of 0 to 127 a pair never leaves 16
// bits; several pairs are added there as long as the weights allow it, and then become 32 bits wide.

#include <vector>

#include "softdpu/jit/conv_weights.hpp"

namespace nerone::softdpu::jit {

// How many pairs of taps, one behind the other, are added in 16 bits each time; the last pair may be a single tap.
// Nothing where the shape, the rounding or an input that may be negative rules pairs out.
std::vector<int> pair_chains_of(const Conv& conv, const ConvShape& shape, const ChannelMap& input,
                                const std::vector<bool>& never_negative);

}  // namespace nerone::softdpu::jit
