#pragma once

#include <memory>
#include <nerone/preprocess.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "run/arguments.hpp"
#include "run/picture.hpp"

namespace nerone::run {

struct SourceFrame {
  std::string stem;   // of the result's name
  std::string place;  // of the frame, for people: "scan.npy:3"
  Picture picture;
  std::shared_ptr<const preprocess::Statistics> statistics;  // of its volume, where steps want them
};

// Frames, one after the other. Only one thread calls it.
class Source {
 public:
  virtual ~Source() = default;

  // Nothing at the end, or when a stop is requested. ConfigurationError, ShapeError, DeviceError.
  virtual std::optional<SourceFrame> next() = 0;
  // Whether Ctrl-C is its usual end.
  virtual bool is_live() const = 0;
  // Files that were left out, and why.
  const std::vector<std::pair<std::string, std::string>>& skipped() const { return skipped_; }

 protected:
  std::vector<std::pair<std::string, std::string>> skipped_;
};

// What the arguments name. `steps`: those that the frames will go through.
std::unique_ptr<Source> open_source(const Arguments& arguments, const preprocess::Steps& steps);

}  // namespace nerone::run
