#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "run/picture.hpp"

namespace nerone::run {

// A .npy file as images: (H, W), (H, W, C) with up to 4 channels, (N, H, W) or (N, H, W, C), as `nerone run` takes it.
class NpyFile {
 public:
  explicit NpyFile(const std::filesystem::path& path);  // ConfigurationError, ShapeError
  int count() const { return count_; }
  Picture read(int number);

 private:
  std::filesystem::path path_;
  std::ifstream stream_;
  std::string type_;
  bool swapped_ = false;
  std::streamoff data_ = 0;
  int count_ = 1, height_ = 0, width_ = 0, channels_ = 0;
};

// (height, width) uint8.
std::string npy_of(const Mask& mask);

}  // namespace nerone::run
