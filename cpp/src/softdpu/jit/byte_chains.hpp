#pragma once

// Which products of bytes AVX2 may add in 16 bits.
//
// vpmaddubsw multiplies unsigned inputs with signed weights and adds two products in 16 bits, saturated. A chain adds
// those of several taps. With inputs of 0 to M no sum on the way leaves 16 bits where, over the weights of the chain
// that meet one word, M * (sum of the positive ones) <= 32767 and M * (sum of the negative ones) >= -32768.

#include <cstdint>
#include <vector>

#include "softdpu/jit/conv_weights.hpp"

namespace nerone::softdpu::jit {

// Consecutive groups of a convolution's input.
struct GroupRange {
  int first = 0, count = 0;
};

// The chains that a convolution's weights allow.
class ChainPlanner {
 public:
  ChainPlanner(const Conv& conv, const ConvShape& shape, const ChannelMap& input, const GroupRange& groups,
               std::uint8_t most_input);

  // Of at most `longest` taps each; none where a single tap may saturate.
  std::vector<int> lengths(int longest) const;

 private:
  std::vector<int> reach_;  // taps that a chain which begins at this one may have
};

// The shape with the runs of groups that are the fastest: words, or bytes in chains where the weights allow them. The
// chains hold for all output channels of `conv`; `never_negative` says it of each input group's values.
ConvShape with_fastest_products(const Conv& conv, const ConvShape& shape, const ChannelMap& input,
                                const std::vector<bool>& never_negative);

}  // namespace nerone::softdpu::jit
