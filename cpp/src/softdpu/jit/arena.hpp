#pragma once

#include <cstddef>
#include <vector>

namespace nerone::softdpu::jit {

// A buffer that is in use from step `first` to step `last`, both included.
struct Span {
  std::size_t size_bytes = 0;
  int first = 0, last = 0;
};

struct Arena {
  std::vector<std::size_t> offsets;  // one per span, multiples of 64
  std::size_t size_bytes = 0;
};

// Places the largest first, each at the lowest offset that is free as long as it lives.
Arena arrange(const std::vector<Span>& spans);

}  // namespace nerone::softdpu::jit
