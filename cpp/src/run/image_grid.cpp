#include "run/image_grid.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace nerone::run {

namespace {

using namespace preprocess;

struct Size {
  double rows, columns;
  bool crop;  // whether the step to this size crops or pads, rather than scaling
};

// For each pixel of the image along one axis the mask's pixel, or -1.
std::vector<int> places(const std::vector<Size>& sizes, double Size::*axis) {
  constexpr double slack = 1e-9;
  std::vector<int> found;
  const auto count = static_cast<int>(sizes.front().*axis);
  for (int i = 0; i < count; ++i) {
    double place = i;
    bool inside = true;
    for (std::size_t step = 1; step < sizes.size(); ++step) {
      const double old = sizes[step - 1].*axis, now = sizes[step].*axis;
      if (sizes[step].crop) {
        place = place - std::max(0.0, std::floor((old - now) / 2)) + std::max(0.0, std::floor((now - old) / 2));
      } else {
        place = (place + 0.5) * (now / old) - 0.5;
      }
      inside = inside && place > -0.5 - slack && place < now - 0.5 + slack;
    }
    const auto nearest = static_cast<int>(std::floor(place + 0.5));
    found.push_back(inside ? std::clamp(nearest, 0, static_cast<int>(sizes.back().*axis) - 1) : -1);
  }
  return found;
}

}  // namespace

ImageGrid::ImageGrid(Steps steps, std::array<int, 2> covers) : steps_(std::move(steps)), covers_(covers) {}

Mask ImageGrid::carry(const Mask& mask, int height, int width, const std::optional<Spacing>& spacing_mm) const {
  std::vector<Size> sizes = {{double(height), double(width), false}};
  auto spacing = spacing_mm;
  for (const Step& step : steps_) {
    Size size = sizes.back();
    size.crop = false;
    if (const auto* resample = std::get_if<Resample>(&step); resample != nullptr && spacing) {
      size.rows = std::max(1.0, std::floor(size.rows * spacing->row_mm / resample->spacing_mm + 0.5));
      size.columns = std::max(1.0, std::floor(size.columns * spacing->column_mm / resample->spacing_mm + 0.5));
      spacing = Spacing{resample->spacing_mm, resample->spacing_mm};
    } else if (const auto* resize = std::get_if<Resize>(&step)) {
      if (spacing) {
        spacing =
            Spacing{spacing->row_mm * size.rows / resize->height, spacing->column_mm * size.columns / resize->width};
      }
      size = {double(resize->height), double(resize->width), false};
    } else if (const auto* crop = std::get_if<CropOrPad>(&step)) {
      size = {double(crop->height), double(crop->width), true};
    }
    sizes.push_back(size);
  }
  if (covers_[0] != 0) sizes.push_back({double(covers_[0]), double(covers_[1]), true});
  // An output coarser than the input is one more resize.
  sizes.push_back({double(mask.height), double(mask.width), false});
  const auto rows = places(sizes, &Size::rows), columns = places(sizes, &Size::columns);
  Mask carried{height, width, std::vector<std::uint8_t>(rows.size() * columns.size(), 0)};
  for (std::size_t y = 0; y < rows.size(); ++y) {
    if (rows[y] < 0) continue;
    const auto* from = mask.classes.data() + static_cast<std::size_t>(rows[y]) * static_cast<std::size_t>(mask.width);
    auto* to = carried.classes.data() + y * columns.size();
    for (std::size_t x = 0; x < columns.size(); ++x) {
      if (columns[x] >= 0) to[x] = from[columns[x]];
    }
  }
  return carried;
}

}  // namespace nerone::run
