#pragma once

// The geometry of a convolution as a kernel sees it: a grid of output pixels, 16 or 8 of them in the lanes of a
// register, and for each pixel a list of input pixels (taps) at fixed distances from it.
//
// A transposed convolution of stride 2 is one such grid for even and one for odd output rows; within a row the even and
// the odd output pixels are two phases that share the grid and are interleaved when they are stored.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/layout.hpp"
#include "softdpu/jit/requantize.hpp"
#include "softdpu/ops/conv.hpp"

namespace nerone::softdpu::jit {

inline constexpr int max_phases = 2;

struct Tap {
  int row = 0, column = 0;                     // of the input pixel, from the grid pixel's own
  std::array<int, max_phases> source{-1, -1};  // per phase: which weight (ky * Kw + kx), -1 for none
};

struct ConvGrid {
  int height = 0, width = 0;
  int first_row = 0, row_step = 1;  // output row of grid row j: first_row + j * row_step
  int out_width = 0;
  int first_column = 0;   // of a part of the columns
  int fold = 0;           // what a tile's fold must be; 0 for any
  bool fills_gap = true;  // writes the zeros behind the rows
  int phases = 1;
  int step_y = 1, step_x = 1;  // input pixels from one grid pixel to the next
  std::vector<Tap> taps;
};

// Nothing where no kernel covers the convolution.
std::optional<std::vector<ConvGrid>> grids_of(const Conv& conv);

// What the grids read around the input.
Pads pads_of(const std::vector<ConvGrid>& grids, const Extents& input);

// Distances in bytes.
struct Strides {
  std::ptrdiff_t row = 0;
  std::ptrdiff_t group = 0;
};

// AVX2's product of bytes adds two products in 16 bits and saturates there. Where an input's largest value and the
// weights leave room, the products of several taps are added in 16 bits before they become 32: a chain.
struct ByteChains {
  std::uint8_t most_input = 0;  // 127: of inputs that are never negative, unflipped; 255: of flipped ones
  std::vector<int> lengths;     // of the taps of the groups that are unrolled, one behind the other
  bool spread = false;          // weights are stored as whole registers, which the products read from memory

  bool are_used() const { return !lengths.empty(); }
  int longest() const;
};

// Input groups that a sum takes with one kind of products.
struct GroupRun {
  int groups = 0;
  ByteChains chains;
};

struct ConvShape {
  Isa isa = Isa::avx512_vnni;
  ConvGrid grid;
  bool depthwise = false;  // output group g reads input group g only
  int input_groups = 0;    // that a pixel's sum runs over
  int channels = 0;        // of the output
  Strides input, output;   // from row to row of the tensors (not of the grid)
  Requantize requantize;
  bool upsample = false;         // each pixel is stored as 2x2
  std::vector<GroupRun> runs;    // of AVX2; where there are none, all groups are one run without chains
  std::vector<int> pair_chains;  // of a depthwise one on AVX2 (depthwise_pairs.hpp); its inputs are unflipped

  // A convolution may be computed in two parts. The first stores its sums, int32 [channel][pixel]; the distance from
  // one channel to the next is a quarter of the output's group stride. The second starts from such sums, whose rows and
  // groups of four channels have these distances, instead of from the bias. Both take whole blocks of pixels.
  bool stores_sums = false;
  std::optional<Strides> first_sums;
};

// The runs of the groups that one sum runs over.
std::vector<GroupRun> runs_of(const ConvShape& shape);

// Of the weights that a sum takes from one group of input channels at one tap: four bytes; or, for products of words,
// two words from channels 0 and 2 and two from channels 1 and 3. A depthwise sum takes the pair that has its channel.
// Spread, the four bytes fill a register.
inline int weight_bytes_of(const ConvShape& shape, const GroupRun& run) {
  const bool words = shape.isa == Isa::avx2 && !run.chains.are_used();
  if (run.chains.spread) return lanes_of(shape.isa) * group_channels;
  return words && !shape.depthwise ? 2 * group_channels : group_channels;
}

// Pairs of taps; the last one may have a single tap.
inline int pairs_of(const ConvShape& shape) { return divide_up(static_cast<int>(shape.grid.taps.size()), 2); }

// Of some output channels' weights, all groups and taps.
std::ptrdiff_t all_weight_bytes(const ConvShape& shape, int channels);

// Groups whose taps are generated one behind the other, in a loop over the rest of the run.
int unrolled_groups(const ConvShape& shape, const GroupRun& run);

// A tap of one of the unrolled groups.
struct GroupTap {
  int group = 0;
  const Tap* tap = nullptr;
};

// The taps of the unrolled groups in the order in which they are multiplied, as chains; each alone where there are
// none. They point into the shape.
std::vector<std::vector<GroupTap>> chains_of(const ConvShape& shape, const GroupRun& run);

}  // namespace nerone::softdpu::jit
