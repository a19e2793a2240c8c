#include "packed_images.hpp"

namespace nerone::test {

using softdpu::Extents;
using namespace softdpu::jit;

PackedImage::PackedImage(const Extents& extents, const Pads& pads, GuardedBuffer::Side side)
    : extents_(extents),
      layout_(static_cast<int>(extents.height), static_cast<int>(extents.width),
              divide_up(static_cast<int>(extents.channels), group_channels), pads),
      buffer_(layout_.size_bytes(), side) {}

std::uint8_t& PackedImage::at(std::int64_t y, std::int64_t x, std::int64_t channel) {
  return buffer_.data()[layout_.origin() + y * layout_.row_bytes() + channel / 4 * layout_.pitch + x * 4 + channel % 4];
}

Image PackedImage::image() {
  return {buffer_.data() + layout_.origin(),
          layout_.height,
          layout_.width,
          layout_.groups,
          layout_.row_bytes(),
          layout_.pitch};
}

ConstImage PackedImage::const_image() {
  return {buffer_.data() + layout_.origin(),
          layout_.height,
          layout_.width,
          layout_.groups,
          layout_.row_bytes(),
          layout_.pitch};
}

void PackedImage::set(const std::int8_t* dense) {
  for (std::size_t i = 0; i < layout_.size_bytes(); ++i) buffer_.data()[i] = zero_byte;
  for (std::int64_t y = 0; y < extents_.height; ++y) {
    for (std::int64_t x = 0; x < extents_.width; ++x) {
      for (std::int64_t c = 0; c < extents_.channels; ++c) at(y, x, c) = static_cast<std::uint8_t>(*dense++ ^ -128);
    }
  }
}

testing::AssertionResult PackedImage::equals(const std::int8_t* expected) {
  for (std::int64_t y = 0; y < extents_.height; ++y) {
    for (std::int64_t x = 0; x < layout_.pitch / 4; ++x) {
      for (std::int64_t c = 0; c < extents_.channels; ++c) {
        const int got = static_cast<std::int8_t>(at(y, x, c) ^ zero_byte);
        const int wanted = x < extents_.width ? expected[(y * extents_.width + x) * extents_.channels + c] : 0;
        if (got == wanted) continue;
        return testing::AssertionFailure()
               << "at y " << y << ", x " << x << ", channel " << c << " got " << got << ", expected " << wanted;
      }
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace nerone::test
