#pragma once

// y = R(act(a * b / 2^shift)), element by element, or of each pixel with one value per channel: the DPU's product of
// two. Exact in 16 bits for shifts of up to 14.

#include "softdpu/jit/image.hpp"
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/range.hpp"

namespace nerone::softdpu::jit {

inline constexpr int max_product_shift = 14;

struct ProductRule {
  int shift = 0;
  ByteBounds bounds;
};

// The second image has the first one's size, or a single pixel.
void multiply(Isa isa, const ConstImage& first, const ConstImage& second, const ProductRule& rule, const Image& output,
              const Range& rows = every_row);

}  // namespace nerone::softdpu::jit
