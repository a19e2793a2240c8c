#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "preprocess/source.hpp"

namespace nerone::preprocess {

// Brings an image's rows closer before they are read. Frames come from memory, not from a cache, and a kernel that
// reads several rows at once otherwise waits for each line of them: four times as long as it computes.
class Prefetch {
 public:
  explicit Prefetch(const Source& source) : source_(source) {
    row_bytes_ = source.width * size_of(source.dtype) * (source.interleaved ? source.channels : 1);
    ahead_ = std::max<std::size_t>(1, ahead_bytes / row_bytes_);
  }

  // Of these planes; `row` is read next. Each row is asked for once.
  void before(std::size_t row, const std::vector<std::size_t>& planes) {
    const std::size_t end = std::min(row + ahead_, source_.height);
    for (next_ = std::max(next_, row); next_ < end; ++next_) {
      if (source_.interleaved) {
        ask_for(0);
      } else {
        for (const std::size_t plane : planes) ask_for(plane);
      }
    }
  }

 private:
  static constexpr std::size_t ahead_bytes = 8 * 1024;
  static constexpr std::size_t line_bytes = 64;

  void ask_for(std::size_t plane) const {
    const auto* bytes = static_cast<const char*>(source_.row(plane, next_));
    for (std::size_t at = 0; at < row_bytes_; at += line_bytes) __builtin_prefetch(bytes + at);
  }

  const Source& source_;
  std::size_t row_bytes_ = 0;
  std::size_t ahead_ = 1;
  std::size_t next_ = 0;
};

}  // namespace nerone::preprocess
