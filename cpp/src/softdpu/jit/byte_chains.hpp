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

// Chooses the products of one grid's kernels: words, or bytes in chains where the weights allow them. The chains are
// planned once; they hold for all output channels of `conv` and for any part of the grid's columns.
class ProductPlanner {
 public:
  // `never_negative` says it of each input group's values.
  ProductPlanner(const Conv& conv, const ConvShape& shape, const ChannelMap& input,
                 const std::vector<bool>& never_negative);

  // The shape, or a part of its columns, with the runs of groups that are the fastest.
  ConvShape with_fastest(const ConvShape& part) const;

 private:
  // Groups one behind the other that have the same largest input.
  struct Run {
    int groups = 0;
    std::uint8_t most_input = 0;
    ChainPlanner chains;
  };
  // With chains of at most `longest` taps.
  ConvShape chained(const ConvShape& part, int longest, bool spread) const;

  std::vector<Run> runs_;  // none where the instruction set or the shape has no chains
};

// Of a shape that is not split.
inline ConvShape with_fastest_products(const Conv& conv, const ConvShape& shape, const ChannelMap& input,
                                       const std::vector<bool>& never_negative) {
  return ProductPlanner(conv, shape, input, never_negative).with_fastest(shape);
}

}  // namespace nerone::softdpu::jit
