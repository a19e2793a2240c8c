#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "softdpu/jit/conv_tile.hpp"
#include "softdpu/jit/range.hpp"

namespace nerone::softdpu::jit {

// Input and output point to pixel 0 of row 0 of the first group.
struct ConvArguments {
  const std::uint8_t* input;
  std::uint8_t* output;
  const std::int8_t* weights;
  const std::int32_t* bias;  // or the sums to start from
  const std::int32_t* half_bits;
};

// Machine code for one convolution's grid: all channels and pixels of all rows, or of some tiles of rows, in one call,
// in the shape's instructions, which the processor must have to run it. Writes whole rows, the gap behind each
// included. Immutable, may run in any number of threads.
class ConvKernel {
 public:
  ConvKernel(const ConvShape& shape, const ConvTile& tile);
  ~ConvKernel();
  ConvKernel(const ConvKernel&) = delete;
  ConvKernel& operator=(const ConvKernel&) = delete;

  // Tiles of rows, which may be computed one by one; the last one may write rows of the one before again.
  int tiles() const;
  void operator()(const ConvArguments& arguments) const { (*this)(arguments, {0, tiles()}); }
  // Some of the tiles. With sums to start from: all of them.
  void operator()(const ConvArguments& arguments, const Range& tiles) const;
  // What was generated, its constants included; it does not depend on where it lies.
  const std::uint8_t* code() const;
  std::size_t code_bytes() const;

 private:
  class Generator;
  template <class Set, class Register>
  class VectorGenerator;
  class ZmmGenerator;
  class YmmGenerator;
  // What the code reads.
  struct Call {
    ConvArguments arguments;
    std::int64_t tiles;
    std::int64_t ends;  // 1 where the last tile of the image is among them and others are before it
  };
  std::unique_ptr<Generator> generator_;
  void (*run_)(const Call*) = nullptr;
};

}  // namespace nerone::softdpu::jit
