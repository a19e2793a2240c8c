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

// The chains that a convolution's weights allow.
class ChainPlanner {
 public:
  ChainPlanner(const Conv& conv, const ConvShape& shape, const ChannelMap& input, std::uint8_t most_input);

  // Of at most `longest` taps each; none where a single tap may saturate.
  std::vector<int> lengths(int longest) const;

 private:
  std::vector<int> reach_;  // taps that a chain which begins at this one may have
};

// The shape with the fastest products: words, or bytes in chains where the weights allow them.
ConvShape with_fastest_products(const Conv& conv, const ConvShape& shape, const ChannelMap& input, bool never_negative);

}  // namespace nerone::softdpu::jit
