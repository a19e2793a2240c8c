#include "preprocess/source.hpp"

#include <cstring>
#include <nerone/error.hpp>
#include <string>

#include "kernels/transpose/transpose.hpp"

namespace nerone::preprocess {
namespace {

// One channel's pixels: any strides.
struct Plane {
  const std::uint8_t* data;
  std::ptrdiff_t row_stride;
  std::ptrdiff_t pixel_stride;
};

bool aligned(const Plane& plane, std::size_t item) {
  const auto size = static_cast<std::ptrdiff_t>(item);
  return reinterpret_cast<std::uintptr_t>(plane.data) % item == 0 && plane.row_stride % size == 0;
}

Plane plane_of(const Image& image, std::size_t channel) {
  const bool planar = image.views.size() > 1 || image.views[0].shape.size() == 2;
  const TensorView& view = image.views[planar ? channel : 0];
  const auto* data = static_cast<const std::uint8_t*>(view.data);
  if (!planar) data += static_cast<std::ptrdiff_t>(channel) * view.strides_bytes[2];
  return {data, view.strides_bytes[0], view.strides_bytes[1]};
}

bool is_interleaved(const TensorView& view) {
  const auto item = static_cast<std::int64_t>(size_of(view.dtype));
  if (view.shape.size() != 3 || view.shape[2] == 1) return false;
  const bool neighbours = view.shape[1] == 1 || view.strides_bytes[1] == view.shape[2] * item;
  return neighbours && view.strides_bytes[2] == item &&
         aligned({static_cast<const std::uint8_t*>(view.data), view.strides_bytes[0], 0}, size_of(view.dtype));
}

void check_views(const Image& image) {
  if (image.views.empty())
    throw ShapeError("the image has no channels; give an (H, W) or (H, W, C) array, or C arrays (H, W)");
  const TensorView& first = image.views[0];
  for (const TensorView& view : image.views) {
    const bool axes = view.shape.size() == 2 || (view.shape.size() == 3 && image.views.size() == 1);
    if (!axes || view.element_count() < 1 || view.shape != first.shape ||
        view.strides_bytes.size() != view.shape.size()) {
      throw ShapeError("the image has shape " + to_string(view.shape) +
                       "; expected (H, W) or (H, W, C) with no empty axis, or the same (H, W) for each channel");
    }
    if (view.dtype != first.dtype) {
      throw DtypeError(std::string("the channels of the image are ") + name_of(first.dtype) + " and " +
                       name_of(view.dtype) + "; expected one dtype for all");
    }
  }
  if (first.dtype == DType::int64) {
    throw DtypeError(
        "the image is int64; expected uint8, int8, uint16, int16, int32, float32: convert with .astype(np.float32)");
  }
  const std::int64_t channels = image.views.size() > 1    ? static_cast<std::int64_t>(image.views.size())
                                : first.shape.size() == 2 ? 1
                                                          : first.shape[2];
  if (first.shape[0] > 65536 || first.shape[1] > 65536 || channels > static_cast<std::int64_t>(max_channels)) {
    throw ShapeError("the image has shape " + to_string(first.shape) + " and " + std::to_string(channels) +
                     " channels; expected at most 65536 pixels a side and 64 channels");
  }
}

void copy_plane(const Plane& plane, std::size_t item, std::size_t height, std::size_t width, std::uint8_t* out) {
  if (plane.row_stride == static_cast<std::ptrdiff_t>(item)) {
    kernels::transpose(plane.data, plane.pixel_stride, item, height, width, out);
    return;
  }
  for (std::size_t y = 0; y < height; ++y) {
    const std::uint8_t* pixel = plane.data + static_cast<std::ptrdiff_t>(y) * plane.row_stride;
    for (std::size_t x = 0; x < width; ++x, pixel += plane.pixel_stride, out += item) std::memcpy(out, pixel, item);
  }
}

}  // namespace

bool Source::one_run(std::size_t plane) const {
  const std::size_t row = width * size_of(dtype) * (interleaved ? channels : 1);
  return height == 1 || row_strides_bytes[plane] == static_cast<std::ptrdiff_t>(row);
}

std::size_t Layout::copy_bytes() const {
  if (copied == 0) return 0;
  return static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * static_cast<std::size_t>(channels) *
         size_of(dtype);
}

Layout layout_of(const Image& image) {
  check_views(image);
  const TensorView& first = image.views[0];
  Layout layout;
  layout.dtype = first.dtype;
  layout.height = static_cast<int>(first.shape[0]);
  layout.width = static_cast<int>(first.shape[1]);
  layout.channels = image.views.size() > 1    ? static_cast<int>(image.views.size())
                    : first.shape.size() == 3 ? static_cast<int>(first.shape[2])
                                              : 1;
  layout.interleaved = image.views.size() == 1 && is_interleaved(first);
  if (layout.interleaved) return layout;
  const std::size_t item = size_of(layout.dtype);
  for (std::size_t c = 0; c < static_cast<std::size_t>(layout.channels); ++c) {
    const Plane plane = plane_of(image, c);
    const bool rows = layout.width == 1 || plane.pixel_stride == static_cast<std::ptrdiff_t>(item);
    if (!rows || !aligned(plane, item)) layout.copied |= std::uint64_t{1} << c;
  }
  return layout;
}

Source source_of(const Image& image, const Layout& layout, std::uint8_t* scratch) {
  Source source;
  source.dtype = layout.dtype;
  source.height = static_cast<std::size_t>(layout.height);
  source.width = static_cast<std::size_t>(layout.width);
  source.channels = static_cast<std::size_t>(layout.channels);
  source.interleaved = layout.interleaved;
  const std::size_t item = size_of(layout.dtype);
  for (std::size_t c = 0; c < (layout.interleaved ? 1 : source.channels); ++c) {
    const Plane plane = plane_of(image, c);
    source.planes[c] = plane.data;
    source.row_strides_bytes[c] = plane.row_stride;
    if ((layout.copied >> c & 1) != 0) {
      copy_plane(plane, item, source.height, source.width, scratch);
      source.planes[c] = scratch;
      source.row_strides_bytes[c] = static_cast<std::ptrdiff_t>(source.width * item);
      scratch += source.height * source.width * item;
    }
  }
  return source;
}

}  // namespace nerone::preprocess
