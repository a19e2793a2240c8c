#pragma once

#include <nerone/bundle.hpp>
#include <nerone/pipeline.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "run/arguments.hpp"

namespace nerone::run {

struct Report {
  pipeline::Stats stats;
  std::optional<double> watts;
  bool interrupted = false;
  int workers = 0;
  std::vector<std::string> files;
  std::vector<std::pair<std::string, std::string>> skipped;
};

std::string text_of(const Report& report);
std::string json_of(const Report& report, const Bundle& bundle, const Arguments& arguments);

// What was read of a bundle, in the words of bundle.json.
std::string describe(const Bundle& bundle);

}  // namespace nerone::run
