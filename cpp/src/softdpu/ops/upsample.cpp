#include "softdpu/ops/upsample.hpp"

#include <algorithm>
#include <cmath>

#include "softdpu/attributes.hpp"
#include "softdpu/fixed.hpp"

namespace nerone::softdpu {

namespace {

struct Sampling {
  bool bilinear, align_corners, half_pixel_centers;
};

Tap tap_of(const Sampling& sampling, std::int64_t in, std::int64_t out, std::int64_t i) {
  const float step = sampling.align_corners && out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1)
                                                       : static_cast<float>(in) / static_cast<float>(out);
  const auto index = static_cast<float>(i);
  if (!sampling.bilinear) {
    const float position = sampling.half_pixel_centers ? (index + 0.5F) * step : index * step;
    const float rounded = sampling.align_corners ? std::round(position) : std::floor(position);
    const auto nearest = std::min(in - 1, static_cast<std::int64_t>(rounded));
    return {nearest, nearest, 0.0F};
  }
  const float position = sampling.half_pixel_centers ? (index + 0.5F) * step - 0.5F : index * step;
  const float low = std::floor(position);
  return {std::clamp<std::int64_t>(static_cast<std::int64_t>(low), 0, in - 1),
          std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(position)), 0, in - 1), position - low};
}

std::vector<Tap> taps(const Sampling& sampling, std::int64_t in, std::int64_t out) {
  std::vector<Tap> result;
  for (std::int64_t i = 0; i < out; ++i) result.push_back(tap_of(sampling, in, out, i));
  return result;
}

void check_scale(const xmodel::Op& op, const Upsample& upsample) {
  if (op.attrs.count("scale") == 0) return;
  const auto scale = numbers_attr(op, "scale", 2, {});
  const auto scaled = [](std::int64_t extent, double factor) {
    return std::floor(static_cast<double>(extent) * factor);
  };
  if (scaled(upsample.input.width, scale[0]) != static_cast<double>(upsample.output.width) ||
      scaled(upsample.input.height, scale[1]) != static_cast<double>(upsample.output.height)) {
    refuse(op, "the output's height and width are not the input's times the scale");
  }
}

}  // namespace

Upsample parse_upsample(const xmodel::Op& op, const Value& input, const Value& output) {
  Upsample upsample;
  upsample.input = extents_of(op, input);
  upsample.output = extents_of(op, output);
  require_shape(op, output,
                Extents{upsample.input.batch, upsample.output.height, upsample.output.width, upsample.input.channels});
  check_scale(op, upsample);
  const auto mode = string_attr(op, "mode", "NEAREST");
  if (mode != "NEAREST" && mode != "BILINEAR") {
    refuse(op, "mode '" + mode + "' is not supported, expected NEAREST or BILINEAR");
  }
  upsample.bilinear = mode == "BILINEAR";
  const Sampling sampling{upsample.bilinear, bool_attr(op, "align_corners", false),
                          bool_attr(op, "half_pixel_centers", false)};
  upsample.rows = taps(sampling, upsample.input.height, upsample.output.height);
  upsample.columns = taps(sampling, upsample.input.width, upsample.output.width);
  upsample.shift = input.fix_point - output.fix_point;
  return upsample;
}

namespace {

float lerp(float a, float b, float fraction) { return a + (b - a) * fraction; }

std::int8_t interpolate(const Upsample& upsample, const std::int8_t* image, const Tap& row, const Tap& column,
                        std::int64_t channel) {
  const auto at = [&](std::int64_t y, std::int64_t x) {
    return static_cast<float>(image[(y * upsample.input.width + x) * upsample.input.channels + channel]);
  };
  const float top = lerp(at(row.low, column.low), at(row.low, column.high), column.fraction);
  const float bottom = lerp(at(row.high, column.low), at(row.high, column.high), column.fraction);
  const float value = std::ldexp(lerp(top, bottom, row.fraction), -upsample.shift);
  return static_cast<std::int8_t>(std::clamp(std::floor(value + 0.5F), -128.0F, 127.0F));
}

}  // namespace

void run_scalar(const Upsample& upsample, const std::int8_t* input, std::int8_t* output) {
  const auto image_size = upsample.input.height * upsample.input.width * upsample.input.channels;
  for (std::int64_t n = 0; n < upsample.output.batch; ++n) {
    const auto* image = input + n * image_size;
    for (const auto& row : upsample.rows) {
      for (const auto& column : upsample.columns) {
        for (std::int64_t channel = 0; channel < upsample.output.channels; ++channel) {
          const auto nearest = (row.low * upsample.input.width + column.low) * upsample.input.channels + channel;
          *output++ = upsample.bilinear ? interpolate(upsample, image, row, column, channel)
                                        : round_shift(image[nearest], upsample.shift);
        }
      }
    }
  }
}

}  // namespace nerone::softdpu
