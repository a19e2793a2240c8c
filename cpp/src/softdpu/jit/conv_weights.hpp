#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_allocator.hpp"
#include "softdpu/jit/conv_tile.hpp"

namespace nerone::softdpu::jit {

// Which channel of a tensor a byte of its packed form holds: position -> channel, -1 for none.
using ChannelMap = std::vector<int>;
ChannelMap dense_channels(int channels);

// The order a kernel reads them in.
//   weights: [block of tile.channels][run][unrolled groups][chain][phase][channel of the block][tap of the chain that
//   the
//            phase has][weight_bytes_of]; without chains each tap is one
//            of depthwise pairs: [group of channels][pair][channel][tap of the pair]
//   bias:    [channel][phase]; the 128 that flipped inputs add per weight is already taken away
// Channels are the output's positions: of a depthwise convolution those of its input, 4 to a group.
struct ConvWeights {
  std::vector<std::int8_t, AlignedAllocator<std::int8_t>> weights;
  std::vector<std::int32_t> bias;
  std::vector<std::int32_t> half_bits;  // [channel], where the rule needs them
};

// One weight, by the position of its input channel in the packed image, its place in the kernel (ky * Kw + kx) and its
// output channel. 0 where the position holds none.
struct WeightPlace {
  int position = 0, source = 0, channel = 0;
};
std::int8_t weight_at(const Conv& conv, const ConvShape& shape, const ChannelMap& input, const WeightPlace& place);

ConvWeights pack_weights(const Conv& conv, const ConvShape& shape, const ConvTile& tile, const ChannelMap& input,
                         const Requantization& requantization);

}  // namespace nerone::softdpu::jit
