#pragma once

#include <cstdint>
#include <nerone/preprocess.hpp>
#include <vector>

namespace nerone::preprocess::testing {

// The same pixels on every machine: a smooth slope with a little of everything on it.
inline std::vector<std::int16_t> pixels(std::size_t count) {
  std::vector<std::int16_t> values(count);
  std::uint32_t state = 12345;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 1664525U + 1013904223U;
    values[i] = static_cast<std::int16_t>(static_cast<int>(i % 977) - 300 + static_cast<int>(state >> 24));
    if (state >> 28 == 0) values[i] = 0;
  }
  return values;
}

inline Image image_of(std::vector<std::int16_t>& values, std::vector<std::int64_t> shape) {
  Image image;
  image.views.push_back(TensorView::contiguous(values.data(), DType::int16, std::move(shape)));
  return image;
}

// The paper's tasks, as python/nerone/runtime/presets.py has them.
inline Steps ct_org() {
  return {Channels{1, {}}, Resample{0.557, Method::cubic}, CropOrPad{512, 512, -1024},
          Resize{256, 256, Method::bilinear}, Window{-500, 1000, {-1, 1}}};
}
inline Steps brats() {
  return {Channels{4, {}}, Clip{0.0, {}}, Percentile{{}, 99.9, {-1, 1}, Scope::volume, true}, CropOrPad{240, 240, -1}};
}
inline Steps prostate() {
  return {Channels{1, {}}, Resample{0.625, Method::cubic}, CropOrPad{256, 256, 0},
          Percentile{1.0, 99.0, {-1, 1}, Scope::slice, false}};
}
inline Steps bccd() { return {Channels{3, {}}, Resize{200, 250, Method::bilinear}, ScaleOffset{{1 / 255.0}, {0.0}}}; }
inline Steps z_scored() { return {ZScore{Scope::slice, true}}; }

}  // namespace nerone::preprocess::testing
