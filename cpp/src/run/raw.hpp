#pragma once

#include <filesystem>
#include <fstream>
#include <memory>

#include "run/source.hpp"

namespace nerone::run {

// A file of one frame after the other.
class RawFile {
 public:
  RawFile(const std::filesystem::path& path, const RawFormat& format);  // ConfigurationError
  int count() const { return count_; }
  Picture read(int number);

 private:
  std::filesystem::path path_;
  RawFormat format_;
  std::ifstream stream_;
  int count_ = 0;
};

// Frames on standard input, one after the other, until it ends.
std::unique_ptr<Source> open_stream(const RawFormat& format);

}  // namespace nerone::run
