#pragma once

#include <cstdint>
#include <nerone/preprocess.hpp>
#include <nerone/tensor.hpp>
#include <string>
#include <vector>

namespace nerone::run {

// One image, dense: (height, width) where channels is 0, else (height, width, channels).
struct Picture {
  DType dtype = DType::uint8;
  int height = 0, width = 0, channels = 0;
  std::vector<char> bytes;

  TensorView view() {
    std::vector<std::int64_t> shape = {height, width};
    if (channels != 0) shape.push_back(channels);
    return TensorView::contiguous(bytes.data(), dtype, std::move(shape));
  }
};

// The class of each pixel, or of the one image.
struct Mask {
  int height = 0, width = 0;
  std::vector<std::uint8_t> classes;
};

}  // namespace nerone::run
