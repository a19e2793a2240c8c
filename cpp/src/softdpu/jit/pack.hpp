#pragma once

// Between the caller's dense int8 NHWC and packed images.

#include <array>
#include <cstdint>
#include <vector>

#include "softdpu/jit/image.hpp"
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/range.hpp"

namespace nerone::softdpu::jit {

// Channel k * channels + c of output pixel x is channel c of input pixel x * stride - pad + k, zero outside the row;
// k = 0 .. kernel - 1. A plain copy has kernel 1, stride 1, pad 0. What lies behind the last channel in its group is
// left undefined.
struct PackRule {
  int width = 0, channels = 0;  // of the input
  int kernel = 1, stride = 1, pad = 0;
};

void pack(Isa isa, const std::int8_t* input, const PackRule& rule, const Image& output, const Range& rows = every_row);

// Channel c of the output is at position positions[c] of the input.
class Unpacker {
 public:
  Unpacker(Isa isa, std::vector<int> positions);
  void operator()(const ConstImage& input, std::int8_t* output, const Range& rows = every_row) const;

 private:
  bool has_two_groups() const;
  void unpack_vectors(const ConstImage& input, int y, std::int8_t* to) const;
  void unpack_shuffled(const ConstImage& input, int y, std::int8_t* to, std::ptrdiff_t room) const;
  void unpack_blocks(const ConstImage& input, int y, std::int8_t* to) const;
  void unpack_pixels(const ConstImage& input, int y, int begin, std::int8_t* to) const;

  // blocks: four groups of four pixels at a time, where whole groups lie in their order
  enum class Method { vectors, shuffled, blocks, pixels };
  Method method_ = Method::pixels;
  std::vector<int> positions_;
  // Which byte of two registers (16 pixels of one group each; shuffled: of one, two pixels of two groups) every output
  // byte is, two registers full.
  std::array<std::uint8_t, 128> order_{};
};

}  // namespace nerone::softdpu::jit
