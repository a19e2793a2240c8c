#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nerone/preprocess.hpp>

namespace nerone::preprocess {

constexpr std::size_t max_channels = 64;

// Pixels the kernels can read: rows of neighbours, in one interleaved plane or in a plane per channel.
struct Source {
  DType dtype = DType::float32;
  std::size_t height = 0;
  std::size_t width = 0;
  std::size_t channels = 1;
  bool interleaved = false;
  std::array<const std::uint8_t*, max_channels> planes = {};
  std::array<std::ptrdiff_t, max_channels> row_strides_bytes = {};

  const void* row(std::size_t plane, std::size_t y) const {
    return planes[plane] + static_cast<std::ptrdiff_t>(y) * row_strides_bytes[plane];
  }
  // Whether a plane's rows follow one another without gaps, so that it is one long row.
  bool one_run(std::size_t plane) const;
};

// How an image lies in memory, as far as a plan depends on it.
struct Layout {
  DType dtype = DType::float32;
  int height = 0;
  int width = 0;
  int channels = 0;
  bool interleaved = false;
  std::uint64_t copied = 0;  // bit c: channel c has to be brought into rows first

  bool operator==(const Layout& other) const {
    return dtype == other.dtype && height == other.height && width == other.width && channels == other.channels &&
           interleaved == other.interleaved && copied == other.copied;
  }
  std::size_t copy_bytes() const;
};

// Checks the image: ShapeError, DtypeError.
Layout layout_of(const Image& image);

// `scratch` has layout.copy_bytes() bytes.
Source source_of(const Image& image, const Layout& layout, std::uint8_t* scratch);

}  // namespace nerone::preprocess
