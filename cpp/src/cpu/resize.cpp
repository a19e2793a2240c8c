// resize of an NHWC float image, NEAREST and BILINEAR, with the coordinates of the DPU's upsample:
// s = (align_corners and out > 1) ? (in - 1) / (out - 1) : in / out in float32.

#include <algorithm>
#include <cmath>

#include "cpu/node.hpp"

namespace nerone::cpu {

namespace {

struct Tap {
  std::int64_t low, high;
  float fraction;
};

struct Coordinates {
  bool align_corners, half_pixel_centers, nearest;

  float scale(std::int64_t in, std::int64_t out) const {
    const bool align = align_corners && out > 1;
    return align ? static_cast<float>(in - 1) / static_cast<float>(out - 1)
                 : static_cast<float>(in) / static_cast<float>(out);
  }

  Tap tap(std::int64_t i, std::int64_t in, std::int64_t out) const {
    const auto last = in - 1;
    const float at = static_cast<float>(i) + (half_pixel_centers ? 0.5F : 0.0F);
    const float source = at * scale(in, out);
    if (nearest) {
      const auto index =
          std::min(last, static_cast<std::int64_t>(align_corners ? std::round(source) : std::floor(source)));
      return {index, index, 0.0F};
    }
    const float position = half_pixel_centers ? source - 0.5F : source;
    const float floor = std::floor(position);
    return {std::clamp<std::int64_t>(static_cast<std::int64_t>(floor), 0, last),
            std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(position)), 0, last), position - floor};
  }

  std::vector<Tap> taps(std::int64_t in, std::int64_t out) const {
    std::vector<Tap> all;
    for (std::int64_t i = 0; i < out; ++i) all.push_back(tap(i, in, out));
    return all;
  }
};

Coordinates coordinates_of(const Node& node) {
  const auto mode = node.text_or("mode", "NEAREST");
  if (mode != "NEAREST" && mode != "BILINEAR") node.refuse("mode '" + mode + "', expected NEAREST or BILINEAR");
  return {node.flag_or("align_corners", false), node.flag_or("half_pixel_centers", false), mode == "NEAREST"};
}

Kernel make_resize(const Node& node) {
  if (node.input().dtype != DType::float32 || node.output.dtype != DType::float32) node.refuse("resizes float32 only");
  const auto &in = node.input().shape, &out = node.output.shape;
  if (in.size() != 4 || out.size() != 4 || in[0] != out[0] || in[3] != out[3]) {
    node.refuse("cannot resize " + to_string(in) + " to " + to_string(out));
  }
  const auto coordinates = coordinates_of(node);
  return [in, rows = coordinates.taps(in[1], out[1]), columns = coordinates.taps(in[2], out[2]),
          from = node.position("input")](const void* const* inputs, void* output) {
    const auto channels = in[3];
    auto* y = static_cast<float*>(output);
    for (std::int64_t n = 0; n < in[0]; ++n) {
      const auto* x = static_cast<const float*>(inputs[from]) + n * in[1] * in[2] * channels;
      const auto at = [&](std::int64_t row, std::int64_t column) { return x + (row * in[2] + column) * channels; };
      for (const auto& row : rows) {
        for (const auto& column : columns) {
          const float *a = at(row.low, column.low), *b = at(row.low, column.high);
          const float *c = at(row.high, column.low), *d = at(row.high, column.high);
          for (std::int64_t i = 0; i < channels; ++i) {
            const float top = a[i] + (b[i] - a[i]) * column.fraction;
            const float bottom = c[i] + (d[i] - c[i]) * column.fraction;
            *y++ = top + (bottom - top) * row.fraction;
          }
        }
      }
    }
  };
}

}  // namespace

Kernels resize_kernels() { return {{"resize", make_resize}}; }

}  // namespace nerone::cpu
