#pragma once

// Maximum over the pixels of the window that lie inside the image; the order of flipped bytes is that of the values.
// Covers every window without dilation.

#include "softdpu/jit/image.hpp"
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/range.hpp"
#include "softdpu/ops/window.hpp"

namespace nerone::softdpu::jit {

void max_pool(Isa isa, const ConstImage& input, const Image& output, const Window& window,
              const Range& rows = every_row);

}  // namespace nerone::softdpu::jit
