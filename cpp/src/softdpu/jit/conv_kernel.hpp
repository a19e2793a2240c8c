#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "softdpu/jit/conv_tile.hpp"

namespace nerone::softdpu::jit {

// Input and output point to pixel 0 of row 0 of the first group.
struct ConvArguments {
  const std::uint8_t* input;
  std::uint8_t* output;
  const std::int8_t* weights;
  const std::int32_t* bias;  // or the sums to start from
  const std::int32_t* half_bits;
};

// Machine code for one convolution's grid: all rows, channels and pixels in one call, in the shape's instructions,
// which the processor must have to run it. Writes whole rows, the gap behind each included. Immutable, may run in any
// number of threads.
class ConvKernel {
 public:
  ConvKernel(const ConvShape& shape, const ConvTile& tile);
  ~ConvKernel();
  ConvKernel(const ConvKernel&) = delete;
  ConvKernel& operator=(const ConvKernel&) = delete;

  void operator()(const ConvArguments& arguments) const { run_(&arguments); }
  // What was generated, its constants included; it does not depend on where it lies.
  const std::uint8_t* code() const;
  std::size_t code_bytes() const;

 private:
  class Generator;
  template <class Set, class Register>
  class VectorGenerator;
  class ZmmGenerator;
  class YmmGenerator;
  std::unique_ptr<Generator> generator_;
  void (*run_)(const ConvArguments*) = nullptr;
};

}  // namespace nerone::softdpu::jit
