#include "softdpu/jit/conv_weights.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace nerone::softdpu::jit {
namespace {

class Packer {
 public:
  Packer(const Conv& conv, const ConvShape& shape, const ChannelMap& input, std::vector<std::int32_t> bias)
      : conv_(conv), shape_(shape), input_(input) {
    for (const auto value : by_position(bias)) {
      packed_.bias.insert(packed_.bias.end(), static_cast<std::size_t>(phases()), value);
    }
  }

  // A depthwise convolution's output has its channels where the input has them.
  std::vector<std::int32_t> by_position(const std::vector<std::int32_t>& values) const {
    if (!shape_.depthwise || values.empty()) return values;
    std::vector<std::int32_t> placed;
    for (const int channel : input_) placed.push_back(channel < 0 ? 0 : values[static_cast<std::size_t>(channel)]);
    return placed;
  }

  void add_block(int first, int channels) {
    if (!shape_.pair_chains.empty()) return add_pairs(first, channels);
    int first_group = 0;
    for (const auto& run : runs_) {
      const auto chains = chains_of(shape_, run);
      const int unroll = unrolled_groups(shape_, run);
      for (int group = first_group; group < first_group + run.groups; group += unroll) {
        for (const auto& chain : chains) {
          for (int phase = 0; phase < phases(); ++phase) {
            for (int channel = first; channel < first + channels; ++channel) {
              add_chain(run, group, chain, channel, phase);
            }
          }
        }
      }
      first_group += run.groups;
    }
  }

  ConvWeights take() { return std::move(packed_); }

 private:
  int phases() const { return shape_.grid.phases; }

  void add_pairs(int first, int channels) {
    const auto& taps = shape_.grid.taps;
    for (int pair = 0; pair < pairs_of(shape_); ++pair) {
      for (int channel = first; channel < first + channels; ++channel) {
        for (const std::size_t tap : {2 * static_cast<std::size_t>(pair), 2 * static_cast<std::size_t>(pair) + 1}) {
          const WeightPlace place{channel % group_channels, tap < taps.size() ? taps[tap].source[0] : 0, channel};
          packed_.weights.push_back(tap < taps.size() ? weight_at(conv_, shape_, input_, place) : std::int8_t{0});
        }
      }
    }
  }

  void add_chain(const GroupRun& run, int first_group, const std::vector<GroupTap>& chain, int channel, int phase) {
    for (const auto& at : chain) {
      const int source = at.tap->source[static_cast<std::size_t>(phase)];
      if (source >= 0) add_group(run, first_group + at.group, source, channel, phase);
    }
  }

  void add_group(const GroupRun& run, int group, int source, int channel, int phase) {
    const bool is_flipped = !run.chains.are_used() || run.chains.most_input >= zero_byte;
    std::array<std::int8_t, group_channels> four{};
    for (int i = 0; i < group_channels; ++i) {
      auto& weight = four[static_cast<std::size_t>(i)];
      weight = weight_at(conv_, shape_, input_, {group * group_channels + i, source, channel});
      if (is_flipped) packed_.bias[static_cast<std::size_t>(channel * phases() + phase)] -= zero_byte * weight;
    }
    if (shape_.isa != Isa::avx2 || run.chains.are_used()) {
      const int copies = run.chains.spread ? lanes_of(shape_.isa) : 1;
      for (int i = 0; i < copies; ++i) packed_.weights.insert(packed_.weights.end(), four.begin(), four.end());
      return;
    }
    for (int odd = 0; odd < 2; ++odd) {
      if (shape_.depthwise && odd != channel % 2) continue;
      add_word(four[static_cast<std::size_t>(odd)]);
      add_word(four[static_cast<std::size_t>(odd + 2)]);
    }
  }

  void add_word(std::int8_t weight) {
    packed_.weights.push_back(weight);
    packed_.weights.push_back(static_cast<std::int8_t>(weight < 0 ? -1 : 0));
  }

  const Conv& conv_;
  const ConvShape& shape_;
  const ChannelMap& input_;
  const std::vector<GroupRun> runs_ = runs_of(shape_);
  ConvWeights packed_;
};

}  // namespace

ChannelMap dense_channels(int channels) {
  ChannelMap map(static_cast<std::size_t>(round_up(channels, group_channels)), -1);
  std::iota(map.begin(), map.begin() + channels, 0);
  return map;
}

std::int8_t weight_at(const Conv& conv, const ConvShape& shape, const ChannelMap& input, const WeightPlace& place) {
  const auto& weights = *conv.weights;
  const auto inputs = static_cast<std::size_t>(conv.input.channels);
  const auto source = static_cast<std::size_t>(place.source);
  if (shape.depthwise) {
    const int from = input[static_cast<std::size_t>(place.channel)];
    if (place.position != place.channel % group_channels || from < 0) return 0;
    return weights[source * inputs + static_cast<std::size_t>(from)];
  }
  const int from = input[static_cast<std::size_t>(place.position)];
  if (from < 0) return 0;
  const auto area = static_cast<std::size_t>(conv.window.kernel_h * conv.window.kernel_w);
  return weights[(static_cast<std::size_t>(place.channel) * area + source) * inputs + static_cast<std::size_t>(from)];
}

ConvWeights pack_weights(const Conv& conv, const ConvShape& shape, const ConvTile& tile, const ChannelMap& input,
                         const Requantization& requantization) {
  Packer packer(conv, shape, input, requantization.bias);
  for (int first = 0; first < shape.channels; first += tile.channels) {
    packer.add_block(first, std::min(tile.channels, shape.channels - first));
  }
  auto half_bits = packer.by_position(requantization.half_bits);
  auto packed = packer.take();
  packed.half_bits = std::move(half_bits);
  return packed;
}

}  // namespace nerone::softdpu::jit
