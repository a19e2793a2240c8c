#include "run/output.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nerone/error.hpp>

#include "run/npy.hpp"
#include "run/png.hpp"
#include "run/table.hpp"

namespace nerone::run {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& path) {
  throw ConfigurationError("cannot write '" + path + "': " + std::strerror(errno) +
                           "; make room or choose another folder");
}

}  // namespace

Output::Output(const Bundle& bundle, const Arguments& arguments)
    : bundle_(bundle), arguments_(arguments), grid_(bundle.preprocessing, bundle.covers) {
  if (!arguments.output.empty() && arguments.output != "-") {
    std::error_code error;
    fs::create_directories(arguments.output, error);
    if (!fs::is_directory(arguments.output, error)) {
      throw ConfigurationError("the output '" + arguments.output +
                               "' is no folder and cannot be made; name another with -o");
    }
  }
  table_ = "image,class";
  for (const auto& name : bundle.class_names) table_ += "," + table_field(name);
  table_ += "\r\n";  // of RFC 4180 and Python's csv
}

void Output::add(const Origin& origin, const TensorView& result) {
  if (bundle_.classification) {
    add_class(origin, result);
  } else {
    add_mask(origin, result);
  }
}

void Output::add_mask(const Origin& origin, const TensorView& result) {
  if (result.dtype != DType::uint8 || result.shape.size() < 3) {
    throw ShapeError("the network's output has shape " + to_string(result.shape) +
                     "; expected masks (1, H, W) of at most 256 classes");
  }
  if (arguments_.output.empty()) return;
  Mask mask;
  mask.height = static_cast<int>(result.shape[result.shape.size() - 2]);
  mask.width = static_cast<int>(result.shape.back());
  const auto* classes = static_cast<const std::uint8_t*>(result.data);
  mask.classes.assign(classes, classes + result.element_count());
  if (!arguments_.on_network_grid) mask = grid_.carry(mask, origin.height, origin.width, arguments_.spacing_mm);
  if (arguments_.output == "-") {
    write_stream(mask.classes.data(), mask.classes.size());
  } else {
    write_file(origin.stem + (arguments_.npy ? ".npy" : ".png"),
               arguments_.npy ? npy_of(mask) : png_of(mask, bundle_.label_ids));
  }
}

void Output::add_class(const Origin& origin, const TensorView& result) {
  const auto* scores = static_cast<const float*>(result.data);
  const auto count = static_cast<std::size_t>(result.element_count());
  if (count != bundle_.class_names.size()) {
    throw ShapeError("the network's output has shape " + to_string(result.shape) + "; the bundle names " +
                     std::to_string(bundle_.class_names.size()) + " classes");
  }
  const auto best = static_cast<std::size_t>(std::max_element(scores, scores + count) - scores);
  if (arguments_.output == "-") {
    const auto number = static_cast<std::uint8_t>(best);
    write_stream(&number, 1);
    return;
  }
  table_ += table_field(origin.place) + "," + table_field(bundle_.class_names[best]);
  for (std::size_t i = 0; i < count; ++i) {
    char text[32];
    std::snprintf(text, sizeof text, ",%.6g", static_cast<double>(scores[i]));
    table_ += text;
  }
  table_ += "\r\n";
}

void Output::finish() {
  if (bundle_.classification && !arguments_.output.empty() && arguments_.output != "-") {
    write_file("predictions.csv", table_);
  }
}

void Output::write_file(const std::string& name, const std::string& content) {
  // Beside its place first: a file that is there is whole.
  const auto target = fs::path(arguments_.output) / name;
  const auto scratch = fs::path(arguments_.output) / ("." + name + "." + std::to_string(getpid()) + ".partial");
  std::ofstream stream(scratch, std::ios::binary);
  stream.write(content.data(), static_cast<std::streamsize>(content.size()));
  stream.close();
  if (!stream || std::rename(scratch.c_str(), target.c_str()) != 0) {
    const int number = errno;
    std::error_code ignored;
    fs::remove(scratch, ignored);
    errno = number;
    fail(target.string());
  }
  files_.push_back(target.string());
}

void Output::write_stream(const std::uint8_t* bytes, std::size_t count) {
  for (std::size_t done = 0; done < count;) {
    const auto written = ::write(STDOUT_FILENO, bytes + done, count - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("standard output");
    done += static_cast<std::size_t>(written);
  }
}

}  // namespace nerone::run
