#include "softdpu/jit/byte_chains.hpp"

#include <algorithm>
#include <limits>

namespace nerone::softdpu::jit {
namespace {

// The weights of one tap, summed for each word of each output channel: positive and negative ones apart.
struct TapSums {
  std::vector<std::int16_t> positive, negative;
};

// A word holds two of a group's four channels.
constexpr int words = 2;

// Of a tap of all units of unrolled groups in a range.
TapSums sums_of(const Conv& conv, const ConvShape& shape, const ChannelMap& input, const GroupRange& range, int unroll,
                const GroupTap& at) {
  TapSums sums;
  for (int first = range.first; first < range.first + range.count; first += unroll) {
    for (int phase = 0; phase < shape.grid.phases; ++phase) {
      const int source = at.tap->source[static_cast<std::size_t>(phase)];
      for (int channel = 0; channel < static_cast<int>(conv.output.channels); ++channel) {
        for (int word = 0; word < words; ++word) {
          int positive = 0, negative = 0;
          for (int i = 0; i < group_channels / words && source >= 0; ++i) {
            const int position = (first + at.group) * group_channels + word * (group_channels / words) + i;
            const int weight = weight_at(conv, shape, input, {position, source, channel});
            (weight > 0 ? positive : negative) += weight;
          }
          sums.positive.push_back(static_cast<std::int16_t>(positive));
          sums.negative.push_back(static_cast<std::int16_t>(negative));
        }
      }
    }
  }
  return sums;
}

void add(TapSums& total, const TapSums& tap) {
  for (std::size_t i = 0; i < total.positive.size(); ++i) {
    total.positive[i] = static_cast<std::int16_t>(total.positive[i] + tap.positive[i]);
    total.negative[i] = static_cast<std::int16_t>(total.negative[i] + tap.negative[i]);
  }
}

bool fits(const TapSums& sums, int most_input) {
  using Word = std::numeric_limits<std::int16_t>;
  const auto most = std::max_element(sums.positive.begin(), sums.positive.end());
  const auto least = std::min_element(sums.negative.begin(), sums.negative.end());
  return most == sums.positive.end() || (*most * most_input <= Word::max() && *least * most_input >= Word::min());
}

// Groups one behind the other of which the same is known.
std::vector<GroupRange> ranges_of(const std::vector<bool>& never_negative) {
  std::vector<GroupRange> ranges;
  for (std::size_t group = 0; group < never_negative.size(); ++group) {
    if (group == 0 || never_negative[group] != never_negative[group - 1])
      ranges.push_back({static_cast<int>(group), 0});
    ++ranges.back().count;
  }
  return ranges;
}

std::uint8_t most_input_of(bool never_negative) { return never_negative ? zero_byte - 1 : 2 * zero_byte - 1; }

}  // namespace

ChainPlanner::ChainPlanner(const Conv& conv, const ConvShape& shape, const ChannelMap& input, const GroupRange& groups,
                           std::uint8_t most_input) {
  const GroupRun run{groups.count, {}};
  const int unroll = unrolled_groups(shape, run);
  std::vector<TapSums> taps;
  for (const auto& chain : chains_of(shape, run)) {
    taps.push_back(sums_of(conv, shape, input, groups, unroll, chain[0]));
  }
  for (std::size_t first = 0; first < taps.size(); ++first) {
    TapSums total = taps[first];
    int reach = 0;
    for (std::size_t next = first + 1; fits(total, most_input); ++next) {
      ++reach;
      if (next == taps.size()) break;
      add(total, taps[next]);
    }
    reach_.push_back(reach);
  }
}

std::vector<int> ChainPlanner::lengths(int longest) const {
  std::vector<int> lengths;
  for (std::size_t tap = 0; tap < reach_.size(); tap += static_cast<std::size_t>(lengths.back())) {
    if (reach_[tap] == 0) return {};
    lengths.push_back(std::min(reach_[tap], longest));
  }
  return lengths;
}

ProductPlanner::ProductPlanner(const Conv& conv, const ConvShape& shape, const ChannelMap& input,
                               const std::vector<bool>& never_negative) {
  if (shape.isa != Isa::avx2 || shape.depthwise || shape.input_groups == 0) return;
  for (const auto& range : ranges_of(never_negative)) {
    const auto most_input = most_input_of(never_negative[static_cast<std::size_t>(range.first)]);
    runs_.push_back({range.count, most_input, ChainPlanner(conv, shape, input, range, most_input)});
  }
}

ConvShape ProductPlanner::chained(const ConvShape& part, int longest, bool spread) const {
  ConvShape shape = part;
  for (const auto& run : runs_) {
    const auto lengths = run.chains.lengths(longest);
    shape.runs.push_back({run.groups, {run.most_input, lengths, spread && !lengths.empty()}});
  }
  return shape;
}

ConvShape ProductPlanner::with_fastest(const ConvShape& part) const {
  if (runs_.empty()) return part;
  ConvShape best = part;
  double best_cost = cost_of(part);
  constexpr int most_registers = 8;
  for (int longest = 1; longest <= most_registers; ++longest) {
    for (const bool spread : {false, true}) {
      const auto shape = chained(part, longest, spread);
      const bool has_longest = std::any_of(shape.runs.begin(), shape.runs.end(),
                                           [&](const GroupRun& run) { return run.chains.longest() == longest; });
      if (!has_longest) return best;
      const double cost = cost_of(shape);
      if (cost >= best_cost) continue;
      best = shape;
      best_cost = cost;
    }
  }
  return best;
}

}  // namespace nerone::softdpu::jit
