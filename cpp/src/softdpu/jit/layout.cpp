#include "softdpu/jit/layout.hpp"

#include <algorithm>
#include <cstring>

namespace nerone::softdpu::jit {

void Pads::include(const Pads& other) {
  top = std::max(top, other.top);
  bottom = std::max(bottom, other.bottom);
  side = std::max(side, other.side);
}

namespace {

// Kernels read whole vectors: up to this much behind the last pixel they need.
constexpr int slack_bytes = 32 * vector_bytes;

int pitch_of(int width, int side_pad) {
  const int pitch = round_up((width + side_pad) * group_channels, vector_bytes);
  // An even number of cache lines would put the rows of all groups into few sets of the first-level cache.
  return pitch >= 512 && (pitch / vector_bytes) % 2 == 0 ? pitch + vector_bytes : pitch;
}

int lead_bytes(const Pads& pads) { return round_up(pads.side * group_channels, vector_bytes); }

}  // namespace

Layout::Layout(int height_px, int width_px, int group_count, const Pads& wanted)
    : height(height_px), width(width_px), groups(group_count), pads(wanted), pitch(pitch_of(width_px, wanted.side)) {}

std::ptrdiff_t Layout::origin() const { return lead_bytes(pads) + pads.top * row_bytes(); }

std::size_t Layout::size_bytes() const {
  return static_cast<std::size_t>(origin() + (height + pads.bottom) * row_bytes() + slack_bytes);
}

void fill_outer_rows(const Layout& layout, std::uint8_t* buffer) {
  std::memset(buffer, zero_byte, static_cast<std::size_t>(layout.origin()));
  const auto end = layout.origin() + layout.height * layout.row_bytes();
  std::memset(buffer + end, zero_byte, static_cast<std::size_t>(layout.pads.bottom * layout.row_bytes()));
}

void fill_gaps(const Layout& layout, std::uint8_t* buffer) {
  const std::ptrdiff_t pixels = static_cast<std::ptrdiff_t>(layout.width) * group_channels;
  std::uint8_t* row = buffer + layout.origin();
  for (int i = 0; i < layout.height * layout.groups; ++i, row += layout.pitch) {
    std::memset(row + pixels, zero_byte, static_cast<std::size_t>(layout.pitch - pixels));
  }
}

}  // namespace nerone::softdpu::jit
