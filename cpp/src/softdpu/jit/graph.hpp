#pragma once

// The planner's view of a program: tensors that live in the arena or in the caller's buffers, and the nodes that
// read and write them, in the order in which they run.

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "softdpu/jit/conv_weights.hpp"
#include "softdpu/jit/global_average.hpp"
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/layout.hpp"
#include "softdpu/jit/product.hpp"
#include "softdpu/jit/table.hpp"
#include "softdpu/program.hpp"

namespace nerone::softdpu::jit {

inline constexpr int none = -1;

struct Tensor {
  bool packed = false;
  Extents extents;                  // of a packed tensor
  ChannelMap channels;              // of a packed tensor
  std::size_t dense_bytes = 0;      // of a dense one
  Pads pads;                        // what readers of this very tensor need; the buffer has the largest of its tensors'
  int parent = none;                // the tensor whose memory this one is a part of
  int first_group = 0;              // where, in a packed parent
  int input = none, output = none;  // the caller's buffer that a dense tensor is
  Int8Data constant;

  int groups() const { return static_cast<int>(channels.size()) / group_channels; }
  int height() const { return static_cast<int>(extents.height); }
  int width() const { return static_cast<int>(extents.width); }
};

// Dense to packed. With an unfolded window (of a convolution along x) pixel x holds the `kernel_w` input pixels from
// x * stride - pad on, one behind the other, as its channels.
struct PackNode {
  int kernel_w = 1, stride_w = 1, pad_left = 0;
  int input_width = 0, input_channels = 0;
};

struct UnpackNode {};

struct ConvNode {
  Conv conv;
  bool upsample = false;  // stores each pixel as 2x2
};

// A 3x3 convolution that reads a nearest upsampling by two, which is never made, and perhaps other channels. Inputs:
// the small image and, where there are others, those.
struct UpsampledConvNode {
  Conv conv;
  ChannelMap small_channels;  // of the convolution's input, by position in the small image
};

struct MaxPoolNode {
  Window window;
};

// y = R(act(sum of floor(4 x_i / 2^shift_i) / 2^shift)), any number of inputs.
struct SumNode {
  std::vector<int> input_shifts;
  int shift = 0;
  ByteBounds bounds;
};

// y = R(act(a * b / 2^shift))
struct ProductNode {
  ProductRule rule;
};

// A function of single bytes.
struct TableNode {
  ByteTable table;
};

// Over all pixels.
struct GlobalAverageNode {
  AverageRule rule;
};

// An upsampling, or a padding.
struct UpsampleNode {
  std::vector<int> rows, columns;  // source of each output row and column; -1 for one that shows the fill
  std::uint8_t fill = zero_byte;   // a stored byte
};

// Everything else, on dense tensors.
struct DenseNode {
  Operation operation;
};

using Work = std::variant<PackNode, UnpackNode, ConvNode, UpsampledConvNode, MaxPoolNode, SumNode, ProductNode,
                          TableNode, GlobalAverageNode, UpsampleNode, DenseNode>;

struct Node {
  std::string name;
  Work work;
  std::vector<int> inputs;
  int output = none;
};

struct TensorGraph {
  std::vector<Tensor> tensors;
  std::vector<Node> nodes;

  // The tensor whose buffer holds this one, and its first group there.
  int root_of(int tensor) const;
  int group_in_root(int tensor) const;
};

// Chooses a form for every value and a kernel for every step.
TensorGraph build_graph(const Program& program, Isa isa = Isa::avx512_vnni);

// Merges nodes where one kernel does the work of two.
void fuse(Isa isa, TensorGraph& graph);

}  // namespace nerone::softdpu::jit
