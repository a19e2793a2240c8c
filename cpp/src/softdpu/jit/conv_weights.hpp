#pragma once

#include <cstdint>
#include <vector>

#include "softdpu/jit/conv_tile.hpp"

namespace nerone::softdpu::jit {

// Which channel of a tensor a byte of its packed form holds: position -> channel, -1 for none.
using ChannelMap = std::vector<int>;
ChannelMap dense_channels(int channels);

// The order a kernel reads them in.
//   weights: [block of tile.channels][input group][tap][phase that has the tap][channel of the block][weight_bytes_of]
//   bias:    [channel][phase]; the 128 that flipped inputs add per weight is already taken away
// Channels are the output's positions: of a depthwise convolution those of its input, 4 to a group.
struct ConvWeights {
  std::vector<std::int8_t> weights;
  std::vector<std::int32_t> bias;
  std::vector<std::int32_t> half_bits;  // [channel], where the rule needs them
};

ConvWeights pack_weights(const Conv& conv, const ConvShape& shape, const ConvTile& tile, const ChannelMap& input,
                         const Requantization& requantization);

}  // namespace nerone::softdpu::jit
