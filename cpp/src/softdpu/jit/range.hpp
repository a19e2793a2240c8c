#pragma once

#include <limits>

namespace nerone::softdpu::jit {

// From `begin` up to, but without, `end`.
struct Range {
  int begin = 0, end = 0;

  int size() const { return end - begin; }
};

// Of an image of any height; what works on rows ends at the last one.
inline constexpr Range every_row{0, std::numeric_limits<int>::max()};

// One of several threads that share the work on an image.
struct Share {
  int index = 0, count = 1;

  // The part of `size` items that is this thread's; empty where there are fewer items than threads.
  Range of(int size) const { return {index * size / count, (index + 1) * size / count}; }
};

}  // namespace nerone::softdpu::jit
