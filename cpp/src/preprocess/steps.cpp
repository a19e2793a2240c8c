#include "preprocess/steps.hpp"

#include <cmath>
#include <nerone/error.hpp>
#include <string>

#include "preprocess/source.hpp"

namespace nerone::preprocess {
namespace {

constexpr int max_extent = 16384;

[[noreturn]] void refuse(const char* field, const std::string& got, const char* expected) {
  throw ConfigurationError(std::string(field) + " is " + got + "; expected " + expected);
}

void check_number(const char* field, double value, double low = -1e30, double high = 1e30) {
  if (!(value >= low && value <= high)) refuse(field, std::to_string(value), "a finite number in its range");
}

void check_extent(const char* field, int value) {
  if (value < 1 || value > max_extent) refuse(field, std::to_string(value), "1 to 16384");
}

void check_to(const char* field, const std::array<double, 2>& to) {
  check_number(field, to[0]);
  check_number(field, to[1]);
  if (!(to[0] < to[1])) refuse(field, std::to_string(to[0]) + ", " + std::to_string(to[1]), "the lower value first");
}

void check_step(const Channels& step) {
  if (step.count < 1 || step.count > static_cast<int>(max_channels)) {
    refuse("channels.count", std::to_string(step.count), "1 to 64");
  }
  if (step.order.size() > max_channels) refuse("channels.order", "longer than 64", "at most 64 channels");
  for (const int channel : step.order) {
    if (channel < 0 || channel >= step.count)
      refuse("channels.order", std::to_string(channel), "a channel of the image");
  }
}

void check_step(const Grey& step) {
  for (const double weight : step.weights) check_number("grey.weights", weight, -10.0, 10.0);
}

void check_step(const Clip& step) {
  if (step.low) check_number("clip.low", *step.low);
  if (step.high) check_number("clip.high", *step.high);
  if (step.low && step.high && *step.low > *step.high)
    refuse("clip.low", std::to_string(*step.low), "at most clip.high");
}

void check_step(const Resample& step) { check_number("resample.spacing_mm", step.spacing_mm, 1e-3, 1e3); }

void check_step(const Resize& step) {
  check_extent("resize.height", step.height);
  check_extent("resize.width", step.width);
}

void check_step(const CropOrPad& step) {
  check_extent("crop_or_pad.height", step.height);
  check_extent("crop_or_pad.width", step.width);
  check_number("crop_or_pad.value", step.value);
}

void check_step(const Window& step) {
  check_number("window.low", step.low);
  check_number("window.high", step.high);
  if (!(step.low < step.high)) refuse("window.low", std::to_string(step.low), "less than window.high");
  check_to("window.to", step.to);
}

void check_step(const Percentile& step) {
  if (step.low) check_number("percentile.low", *step.low, 0.0, 100.0);
  check_number("percentile.high", step.high, 0.0, 100.0);
  if (step.low && !(*step.low < step.high))
    refuse("percentile.low", std::to_string(*step.low), "less than percentile.high");
  check_to("percentile.to", step.to);
}

void check_step(const ZScore&) {}

void check_step(const ScaleOffset& step) {
  const std::size_t scales = step.scale.size();
  const std::size_t offsets = step.offset.size();
  if (scales < 1 || offsets < 1 || scales > max_channels || offsets > max_channels ||
      (scales != offsets && scales != 1 && offsets != 1)) {
    refuse("scale_offset.scale", std::to_string(scales) + " values beside " + std::to_string(offsets) + " offsets",
           "one, or one per channel");
  }
  for (const double scale : step.scale) check_number("scale_offset.scale", scale, -1e6, 1e6);
  for (const double offset : step.offset) check_number("scale_offset.offset", offset);
}

int needed_channels(const Step& step) {
  if (const auto* channels = std::get_if<Channels>(&step)) return channels->count;
  if (std::holds_alternative<Grey>(step)) return 3;
  if (const auto* affine = std::get_if<ScaleOffset>(&step)) {
    const std::size_t count = std::max(affine->scale.size(), affine->offset.size());
    return count > 1 ? static_cast<int>(count) : 0;
  }
  return 0;
}

int resampled(int extent, double mm, double spacing_mm) {
  const double pixels = std::max(1.0, std::floor(extent * mm / spacing_mm + 0.5));
  if (!(pixels <= max_extent)) {
    throw ConfigurationError("resample.spacing_mm is " + std::to_string(spacing_mm) + "; " + std::to_string(extent) +
                             " pixels, " + std::to_string(mm) + " mm apart, would become more than " +
                             std::to_string(max_extent));
  }
  return static_cast<int>(pixels);
}

}  // namespace

void check(const Steps& steps) {
  bool moved = false;
  for (const Step& step : steps) {
    std::visit([](const auto& s) { check_step(s); }, step);
    moved = moved || moves_pixels(step);
    if (moved && needs_volume(step)) {
      throw ConfigurationError(std::string(name_of(step)) +
                               " has scope 'volume' behind a step that moves pixels; put it before that step");
    }
  }
}

bool needs_volume(const Step& step) {
  if (const auto* percentile = std::get_if<Percentile>(&step)) return percentile->scope == Scope::volume;
  if (const auto* z_score = std::get_if<ZScore>(&step)) return z_score->scope == Scope::volume;
  return false;
}

bool moves_pixels(const Step& step) {
  return std::holds_alternative<Resample>(step) || std::holds_alternative<Resize>(step) ||
         std::holds_alternative<CropOrPad>(step);
}

const char* name_of(const Step& step) {
  constexpr const char* names[] = {"channels",    "grey",   "clip",       "resample", "resize",
                                   "crop_or_pad", "window", "percentile", "z_score",  "scale_offset"};
  return names[step.index()];
}

void advance(const Step& step, Shape& shape, std::optional<Spacing>& spacing) {
  const int needed = needed_channels(step);
  if (needed != 0 && needed != shape.channels) {
    throw ShapeError("the image has " + std::to_string(shape.channels) + " channels where the step " + name_of(step) +
                     " expects " + std::to_string(needed) + "; give an image of that kind or change the preprocessing");
  }
  if (const auto* channels = std::get_if<Channels>(&step)) {
    if (!channels->order.empty()) shape.channels = static_cast<int>(channels->order.size());
  } else if (std::holds_alternative<Grey>(step)) {
    shape.channels = 1;
  } else if (const auto* resample = std::get_if<Resample>(&step); resample != nullptr && spacing) {
    shape.height = resampled(shape.height, spacing->row_mm, resample->spacing_mm);
    shape.width = resampled(shape.width, spacing->column_mm, resample->spacing_mm);
    spacing = Spacing{resample->spacing_mm, resample->spacing_mm};
  } else if (const auto* resize = std::get_if<Resize>(&step)) {
    if (spacing) {
      spacing =
          Spacing{spacing->row_mm * shape.height / resize->height, spacing->column_mm * shape.width / resize->width};
    }
    shape.height = resize->height;
    shape.width = resize->width;
  } else if (const auto* crop = std::get_if<CropOrPad>(&step)) {
    shape.height = crop->height;
    shape.width = crop->width;
  }
}

}  // namespace nerone::preprocess
