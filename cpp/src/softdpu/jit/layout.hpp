#pragma once

// How the JIT engine stores an image: u8 [row][channel group][pixel][4], the sign bit of every value flipped, so that
// 128 stands for zero. One dword holds four channels of one pixel; a register of 64 bytes holds 16 pixels of them.
//
// The bytes between the last pixel of a row and the next row (the gap) hold zeros (128): they are the right pad of one
// row and the left pad of the next. Rows of zeros above and below are the vertical pads.

#include <cstddef>
#include <cstdint>

namespace nerone::softdpu::jit {

inline constexpr int group_channels = 4;
inline constexpr int lanes = 16;
inline constexpr int vector_bytes = 64;
inline constexpr std::uint8_t zero_byte = 0x80;

constexpr std::uint8_t byte_of(std::int8_t value) {
  return static_cast<std::uint8_t>(static_cast<std::uint8_t>(value) ^ zero_byte);
}
constexpr std::int8_t value_of(std::size_t byte) {
  return static_cast<std::int8_t>(static_cast<std::uint8_t>(byte) ^ zero_byte);
}

// Of stored bytes, from an activation.
struct ByteBounds {
  std::uint8_t low = 0, high = 255;
};

constexpr int divide_up(int value, int step) { return (value + step - 1) / step; }
constexpr int round_up(int value, int step) { return divide_up(value, step) * step; }

struct Pads {
  int top = 0, bottom = 0, side = 0;  // side: the wider one of left and right

  void include(const Pads& other);
};

// A buffer. Offsets are in bytes from its first byte.
struct Layout {
  int height = 0, width = 0, groups = 0;
  Pads pads;
  int pitch = 0;  // from one group's row to the next group's

  Layout() = default;
  Layout(int height, int width, int groups, const Pads& pads);

  std::ptrdiff_t row_bytes() const { return static_cast<std::ptrdiff_t>(groups) * pitch; }
  // Where pixel 0 of row 0 of group 0 lies; a multiple of vector_bytes.
  std::ptrdiff_t origin() const;
  std::size_t size_bytes() const;
};

// Writes zeros to all that lies before row 0 and behind the last row.
void fill_outer_rows(const Layout& layout, std::uint8_t* buffer);

// Writes zeros to the gaps of all rows. Whoever writes a group fills its gap, the left pad of the next group: needed
// where a group is read before the one in front of it is written.
void fill_gaps(const Layout& layout, std::uint8_t* buffer);

}  // namespace nerone::softdpu::jit
