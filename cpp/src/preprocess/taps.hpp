#pragma once

#include <cstddef>
#include <cstdint>
#include <nerone/preprocess.hpp>
#include <vector>

namespace nerone::preprocess {

struct Tap {
  std::int32_t index;
  double weight;
};

// How each new pixel of one axis is made of the old ones, and of a pad value that counts `pad` times.
struct AxisMap {
  int old_extent = 0;
  std::vector<std::vector<Tap>> taps;  // ascending indices, each once
  std::vector<double> pad;

  bool is_identity() const;
};

AxisMap identity_axis(int extent);
// The taps of OpenCV's resize for float32 images. `growing`: some axis of the image grows, which makes area linear.
AxisMap resize_axis(int old_extent, int new_extent, Method method, bool growing);
AxisMap crop_or_pad_axis(int old_extent, int new_extent);
// `second` after `first`.
AxisMap compose(const AxisMap& first, const AxisMap& second);

// An axis as the kernels take it: new pixel x is the sum over k of old[first[x] + k] * weights[k * count + x], plus
// pad[x] times the pad value.
struct Band {
  std::size_t taps = 1;
  std::vector<std::int32_t> first;
  std::vector<float> weights;
  std::vector<float> pad;
  bool identity = true;
  bool padded = false;

  std::size_t count() const { return first.size(); }
};

Band band_of(const AxisMap& map);

// Whether each new pixel is the mean of two old ones, and each old one is used once.
bool is_halving(const Band& band, int old_extent);

}  // namespace nerone::preprocess
