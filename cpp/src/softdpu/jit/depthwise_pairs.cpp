#include "softdpu/jit/depthwise_pairs.hpp"

#include <algorithm>
#include <limits>

namespace nerone::softdpu::jit {
namespace {

// Of one channel: what its positive and its negative weights add up to.
struct Sums {
  int positive = 0, negative = 0;

  void add(int weight) { (weight > 0 ? positive : negative) += weight; }
};

// A channel's weights of a pair of taps.
Sums with_pair(Sums sums, const Conv& conv, const ConvShape& shape, const ChannelMap& input, int channel,
               std::size_t pair) {
  const auto& taps = shape.grid.taps;
  for (std::size_t tap = 2 * pair; tap < std::min(2 * pair + 2, taps.size()); ++tap) {
    sums.add(weight_at(conv, shape, input, {channel % group_channels, taps[tap].source[0], channel}));
  }
  return sums;
}

bool fits(const Sums& sums) {
  using Word = std::numeric_limits<std::int16_t>;
  constexpr int most = zero_byte - 1;
  return sums.positive * most <= Word::max() && sums.negative * most >= Word::min();
}

bool is_covered(const ConvShape& shape) {
  return shape.isa == Isa::avx2 && shape.depthwise && shape.grid.phases == 1 && !shape.upsample &&
         shape.grid.taps.size() > 1 && shape.channels % group_channels == 0 &&
         shape.requantize.kind == Requantize::Kind::right;
}

}  // namespace

std::vector<int> pair_chains_of(const Conv& conv, const ConvShape& shape, const ChannelMap& input,
                                const std::vector<bool>& never_negative) {
  if (!is_covered(shape)) return {};
  if (!std::all_of(never_negative.begin(), never_negative.end(), [](bool never) { return never; })) return {};
  std::vector<int> chains;
  std::vector<Sums> begun;
  const std::size_t pairs = (shape.grid.taps.size() + 1) / 2;
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    bool fit = !chains.empty();
    std::vector<Sums> longer, alone;
    for (int channel = 0; channel < shape.channels; ++channel) {
      alone.push_back(with_pair({}, conv, shape, input, channel, pair));
      if (!fit) continue;
      longer.push_back(with_pair(begun[static_cast<std::size_t>(channel)], conv, shape, input, channel, pair));
      fit = fits(longer.back());
    }
    if (fit) {
      ++chains.back();
    } else {
      chains.push_back(1);
    }
    begun = fit ? std::move(longer) : std::move(alone);
  }
  return chains;
}

}  // namespace nerone::softdpu::jit
