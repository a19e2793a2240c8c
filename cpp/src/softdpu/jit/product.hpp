#pragma once

// y = R(act(a * b / 2^shift)), the DPU's product of two: element by element, with one value per channel, or with one
// value per pixel. Exact in 16 bits for shifts of up to 14.

#include "softdpu/jit/image.hpp"
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/range.hpp"

namespace nerone::softdpu::jit {

inline constexpr int max_product_shift = 14;

enum class Factor {
  whole,   // of the image's size
  vector,  // one pixel, for all of them
  plane    // one channel, the first of its group, for all of them
};

struct ProductRule {
  Factor second = Factor::whole;
  int shift = 0;
  ByteBounds bounds;
};

void multiply(Isa isa, const ConstImage& first, const ConstImage& second, const ProductRule& rule, const Image& output,
              const Range& rows = every_row);

}  // namespace nerone::softdpu::jit
