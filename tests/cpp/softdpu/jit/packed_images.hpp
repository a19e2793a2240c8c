#pragma once

// The packed layout written the plain way, for comparison.

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "guarded_buffer.hpp"
#include "softdpu/jit/image.hpp"
#include "softdpu/value.hpp"

namespace nerone::test {

// An image in a packed buffer of its own, between guard pages.
class PackedImage {
 public:
  PackedImage(const softdpu::Extents& extents, const softdpu::jit::Pads& pads, GuardedBuffer::Side side);

  softdpu::jit::Image image();
  softdpu::jit::ConstImage const_image();
  const softdpu::jit::Layout& layout() const { return layout_; }
  void set(const std::int8_t* dense);
  // The pixels equal `expected`, and the gap behind each row holds zeros.
  testing::AssertionResult equals(const std::int8_t* expected);

 private:
  std::uint8_t& at(std::int64_t y, std::int64_t x, std::int64_t channel);

  softdpu::Extents extents_;
  softdpu::jit::Layout layout_;
  GuardedBuffer buffer_;
};

}  // namespace nerone::test
