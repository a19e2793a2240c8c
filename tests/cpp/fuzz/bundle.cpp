// bundle.json, and its preprocessing on an image.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nerone/bundle.hpp>
#include <nerone/error.hpp>
#include <nlohmann/json.hpp>

#include "mutations.hpp"
#include "run/image_grid.hpp"
#include "run/report.hpp"

namespace nerone::fuzz {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int height = 9, width = 7;
constexpr std::int64_t most_pixels = 1 << 16;

class Folder {
 public:
  Folder() {
    const fs::path memory = "/dev/shm";
    path =
        (fs::is_directory(memory) ? memory : fs::temp_directory_path()) / ("nerone-fuzz-" + std::to_string(getpid()));
    fs::create_directories(path);
    std::ofstream(path / "model.xmodel") << "model";
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  fs::path path;
};

std::string segmentation() {
  return R"({"schema": 1, "name": "net", "board": "zcu104", "preset": "", "board_model": "",
 "preprocessing": {"version": 1, "orientation": "LAS", "steps": [
  {"step": "channels", "count": 3, "order": [2, 1, 0], "names": []},
  {"step": "grey", "weights": [0.299, 0.587, 0.114]},
  {"step": "clip", "low": -100.0, "high": null},
  {"step": "z_score", "scope": "volume", "nonzero": false},
  {"step": "resample", "spacing_mm": 1.5, "method": "cubic"},
  {"step": "resize", "height": 8, "width": 6, "method": "bilinear"},
  {"step": "crop_or_pad", "height": 10, "width": 10, "value": -1.0},
  {"step": "window", "low": -100.0, "high": 250.0, "to": [-1.0, 1.0]},
  {"step": "percentile", "low": 1.0, "high": 99.0, "to": [0.0, 1.0], "scope": "slice", "nonzero": true},
  {"step": "scale_offset", "scale": [0.5], "offset": [0.1]}]},
 "output": {"kind": "segmentation", "class_names": ["background", "liver"], "colours": [[0, 0, 0], [255, 0, 0]],
  "label_ids": [0, 6], "covers": [8, 8]}})";
}

std::string classification() {
  return R"({"schema": 1, "name": "cells", "board": "host", "preset": "bccd", "board_model": "board.xmodel",
 "preprocessing": {"version": 1, "orientation": null, "steps": [{"step": "resize", "height": 4, "width": 4, "method": "area"}]},
 "output": {"kind": "classification", "class_names": ["a", "b"], "colours": [[0, 0, 0], [255, 0, 0]], "label_ids": []}})";
}

// All values below one.
void collect(Json& value, std::vector<Json*>& into) {
  into.push_back(&value);
  if (!value.is_structured()) return;
  for (auto& child : value) collect(child, into);
}

Json odd_value(Random& random) {
  static const Json values = Json::parse(
      R"([null, true, 0, -1, 1, 2, 3, 255, 256, 16384, 16385, 2147483647, 2147483648, -2147483649,
          9223372036854775807, 18446744073709551615, 1e308, -1e308, 1e-320, 0.5, "", "../x", "a\u001b[2J", "nearest", "volume",
          [], {}, [[]], [1, 2], [0.1, 0.2, 0.3], [[255, 255, 255]]])");
  return values[below(values.size(), random)];
}

void change(Json& root, Random& random) {
  std::vector<Json*> values;
  collect(root, values);
  Json& value = *values[below(values.size(), random)];
  switch (below(5, random)) {
    case 0:
      if (value.is_array() && !value.empty()) value.push_back(value[below(value.size(), random)]);
      break;
    case 1:
      if (value.is_array() && !value.empty()) {
        value.erase(below(value.size(), random));
      } else if (value.is_object() && !value.empty()) {
        value.erase(std::next(value.begin(), static_cast<std::ptrdiff_t>(below(value.size(), random))));
      }
      break;
    case 2: {
      const Json copy = *values[below(values.size(), random)];
      value = copy;
      break;
    }
    default:
      value = odd_value(random);
  }
}

// The bytes of a frame's image and its result, each in memory of its own.
void run_steps(const Bundle& bundle) {
  std::int64_t pixels = height * width;
  for (const auto& step : bundle.preprocessing) {
    if (const auto* resize = std::get_if<preprocess::Resize>(&step)) {
      pixels = std::max(pixels, std::int64_t{resize->height} * resize->width);
    } else if (const auto* crop = std::get_if<preprocess::CropOrPad>(&step)) {
      pixels = std::max(pixels, std::int64_t{crop->height} * crop->width);
    } else if (const auto* resample = std::get_if<preprocess::Resample>(&step)) {
      if (resample->spacing_mm < 0.05) return;
    }
  }
  if (pixels > most_pixels || bundle.preprocessing.size() > 16) return;
  preprocess::Preprocess preprocess(bundle.preprocessing);
  for (const int channels : {1, 3}) {
    std::vector<std::int16_t> values(static_cast<std::size_t>(height * width * channels));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int16_t>(i * 37 % 1000 - 500);
    const auto view = TensorView::contiguous(values.data(), DType::int16, {height, width, channels});
    const preprocess::Spacing spacing{1.0, 0.8};
    const preprocess::Image image{{view}, spacing, nullptr};
    try {
      const auto shape = preprocess.output_shape(image);
      std::vector<std::int8_t> result(static_cast<std::size_t>(shape.height) * static_cast<std::size_t>(shape.width) *
                                      static_cast<std::size_t>(shape.channels));
      preprocess.run(image, 4,
                     TensorView::contiguous(result.data(), DType::int8, {shape.height, shape.width, shape.channels}));
      const run::ImageGrid grid(bundle.preprocessing, bundle.covers);
      run::Mask mask{shape.height, shape.width, std::vector<std::uint8_t>(result.size() / shape.channels)};
      if (grid.carry(mask, height, width, spacing).classes.size() != height * width) std::abort();
    } catch (const Error& error) {
      check_message(error.what());
    }
  }
}

}  // namespace

std::vector<std::string> seeds() { return {segmentation(), classification()}; }

std::string mutated(const std::string& input, const std::string& other, Random& random) {
  auto root = below(4, random) == 0 ? Json(Json::value_t::discarded) : Json::parse(input, nullptr, false);
  if (root.is_discarded()) return damaged(input, other, random);
  for (auto left = 1 + below(3, random); left > 0; --left) change(root, random);
  return root.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool enter(const std::string& input) {
  static const Folder folder;
  std::ofstream(folder.path / "bundle.json", std::ios::binary) << input;
  if (!fs::exists(folder.path / "board.xmodel")) std::ofstream(folder.path / "board.xmodel") << "model";
  try {
    const auto bundle = Bundle::open(folder.path);
    if (bundle.model.parent_path() != folder.path) std::abort();
    if (!bundle.board_model.empty() && bundle.board_model.parent_path() != folder.path) std::abort();
    if (Json::parse(run::describe(bundle), nullptr, false).is_discarded()) std::abort();
    run_steps(bundle);
    return true;
  } catch (const Error& error) {
    check_message(error.what());
    return false;
  }
}

}  // namespace nerone::fuzz
