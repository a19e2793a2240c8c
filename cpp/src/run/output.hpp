#pragma once

#include <filesystem>
#include <nerone/bundle.hpp>
#include <nerone/tensor.hpp>
#include <string>
#include <vector>

#include "run/arguments.hpp"
#include "run/image_grid.hpp"

namespace nerone::run {

// Where a frame came from, while its result is on the way.
struct Origin {
  std::string stem, place;
  int height = 0, width = 0;
};

// Writes results in the order of the frames. Only one thread calls it.
class Output {
 public:
  Output(const Bundle& bundle, const Arguments& arguments);  // ConfigurationError where the folder cannot be made

  void add(const Origin& origin, const TensorView& result);  // ConfigurationError where it cannot be written
  void finish();
  const std::vector<std::string>& files() const { return files_; }

 private:
  void add_mask(const Origin& origin, const TensorView& result);
  void add_class(const Origin& origin, const TensorView& result);
  void write_file(const std::string& name, const std::string& content);
  void write_stream(const std::uint8_t* bytes, std::size_t count);

  const Bundle& bundle_;
  const Arguments& arguments_;
  ImageGrid grid_;
  std::string table_;
  std::vector<std::string> files_;
};

}  // namespace nerone::run
