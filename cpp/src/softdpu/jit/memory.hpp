#pragma once

// Where the tensors of a graph lie: every root tensor has a buffer in the arena or is one of the caller's.

#include <cstddef>
#include <vector>

#include "softdpu/jit/arena.hpp"
#include "softdpu/jit/graph.hpp"
#include "softdpu/jit/image.hpp"
#include "softdpu/jit/range.hpp"
#include "softdpu/step_kernel.hpp"

namespace nerone::softdpu::jit {

// What a run works on.
struct Frame {
  std::uint8_t* arena = nullptr;
  const void* const* inputs = nullptr;
  void* const* outputs = nullptr;
  const void** operands = nullptr;  // room for one step's inputs
  void* scratch = nullptr;          // of the step that runs
  KernelState* state = nullptr;
  Share share;  // of the work on the image
};

// A packed tensor in the arena.
struct PackedPlace {
  std::ptrdiff_t offset = 0;
  Image shape;  // without data

  Image image(const Frame& frame) const;
  ConstImage const_image(const Frame& frame) const;
};

struct DensePlace {
  std::ptrdiff_t offset = 0;
  int input = none, output = none;
  Int8Data constant;

  const void* read(const Frame& frame) const;
  void* write(const Frame& frame) const;
};

class Memory {
 public:
  explicit Memory(const TensorGraph& graph);

  PackedPlace packed(int tensor) const;
  DensePlace dense(int tensor) const;
  const Layout& layout_of(int root) const { return layouts_[static_cast<std::size_t>(root)]; }
  std::size_t offset_of(int root) const { return arena_.offsets[static_cast<std::size_t>(root)]; }
  // The packed root tensors that the node is the first to write to.
  std::vector<int> begun_by(int node) const;
  // Whether some reader needs the pads of a part of the buffer, perhaps before the other parts are written.
  bool has_padded_parts(int root) const;
  std::size_t arena_bytes() const { return arena_.size_bytes; }
  // The largest sum of the buffers of tensors that live at the same time.
  std::size_t live_bytes() const;

 private:
  const TensorGraph& graph_;
  std::vector<Layout> layouts_;  // by tensor; of packed roots
  std::vector<Span> spans_;      // by tensor; empty for those that have no buffer
  Arena arena_;
};

}  // namespace nerone::softdpu::jit
