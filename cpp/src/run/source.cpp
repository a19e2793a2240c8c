#include "run/source.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <nerone/error.hpp>
#include <set>

#include "run/camera.hpp"
#include "run/npy.hpp"
#include "run/png.hpp"
#include "run/raw.hpp"
#include "run/stop.hpp"

namespace nerone::run {

namespace {

namespace fs = std::filesystem;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// A file's frames, read one by one.
struct OpenFile {
  int count = 1;
  std::function<Picture(int)> read;
};

OpenFile open_file(const fs::path& path, const std::optional<RawFormat>& raw) {
  const auto ending = lower(path.extension().string());
  if (ending == ".png") {
    return {1, [path](int) { return read_png(path); }};
  }
  if (ending == ".npy") {
    auto file = std::make_shared<NpyFile>(path);
    return {file->count(), [file](int number) { return file->read(number); }};
  }
  if (!raw) {
    throw ConfigurationError("'" + path.string() +
                             "' is no PNG or NPY file; of raw frames say what a frame is, such as --raw 512x512:int16");
  }
  auto file = std::make_shared<RawFile>(path, *raw);
  return {file->count(), [file](int number) { return file->read(number); }};
}

bool needs_volume(const preprocess::Steps& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const preprocess::Step& step) {
    if (const auto* percentile = std::get_if<preprocess::Percentile>(&step)) {
      return percentile->scope == preprocess::Scope::volume;
    }
    const auto* z_score = std::get_if<preprocess::ZScore>(&step);
    return z_score != nullptr && z_score->scope == preprocess::Scope::volume;
  });
}

std::vector<fs::path> files_of(const fs::path& input, bool raw) {
  if (fs::is_regular_file(input)) return {input};
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(input)) {
    const auto ending = lower(entry.path().extension().string());
    const bool known = ending == ".png" || ending == ".npy" || (raw && (ending == ".raw" || ending == ".bin"));
    if (known && entry.is_regular_file() && !ends_with(lower(entry.path().stem().string()), "_mask")) {
      found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  if (found.empty()) {
    throw ConfigurationError("the folder '" + input.string() +
                             "' has no PNG or NPY files, and .raw or .bin files only count with --raw; name another");
  }
  return found;
}

class Files final : public Source {
 public:
  Files(std::vector<fs::path> files, const Arguments& arguments, const preprocess::Steps& steps)
      : files_(std::move(files)), raw_(arguments.raw), skip_bad_(arguments.skip_bad), steps_(steps) {}

  std::optional<SourceFrame> next() override {
    while (!stop_requested()) {
      try {
        if (frame_ < open_.count && open_.read) return read();
        if (at_ == files_.size()) return std::nullopt;
        open_next();
      } catch (const Error& error) {
        if (!skip_bad_) throw;
        skipped_.emplace_back(files_[at_ - 1].string(), error.what());
        open_ = {};
        open_.read = nullptr;
      }
    }
    return std::nullopt;
  }
  bool is_live() const override { return false; }

 private:
  void open_next() {
    const auto& path = files_[at_++];
    frame_ = 0;
    statistics_ = nullptr;
    open_.read = nullptr;
    stem_ = free_stem(path.stem().string());
    auto opened = open_file(path, raw_);
    if (opened.count > 1 && needs_volume(steps_)) statistics_ = statistics_of(opened);
    open_ = std::move(opened);
  }
  SourceFrame read() {
    const auto place = files_[at_ - 1].string();
    const bool lone = open_.count == 1;
    std::string number = std::to_string(frame_);
    number.insert(0, number.size() < 4 ? 4 - number.size() : 0, '0');
    SourceFrame frame{stem_ + "_mask" + (lone ? "" : "_" + number), lone ? place : place + ":" + std::to_string(frame_),
                      open_.read(frame_), statistics_};
    ++frame_;
    return frame;
  }
  std::shared_ptr<const preprocess::Statistics> statistics_of(const OpenFile& file) const {
    std::vector<Picture> pictures;
    std::vector<preprocess::Image> images;
    for (int i = 0; i < file.count; ++i) pictures.push_back(file.read(i));
    for (auto& picture : pictures) images.push_back({{picture.view()}, std::nullopt, nullptr});
    return std::make_shared<preprocess::Statistics>(preprocess::volume_statistics(steps_, images));
  }
  // Names that would meet are numbered.
  std::string free_stem(const std::string& stem) {
    std::string free = stem;
    for (int number = 2; !used_.insert(free).second; ++number) free = stem + "_" + std::to_string(number);
    return free;
  }

  std::vector<fs::path> files_;
  std::optional<RawFormat> raw_;
  bool skip_bad_;
  preprocess::Steps steps_;
  std::set<std::string> used_;
  std::size_t at_ = 0;
  OpenFile open_{0, nullptr};
  int frame_ = 0;
  std::string stem_;
  std::shared_ptr<const preprocess::Statistics> statistics_;
};

}  // namespace

std::unique_ptr<Source> open_source(const Arguments& arguments, const preprocess::Steps& steps) {
  if (arguments.input == "-") return open_stream(*arguments.raw);
  const fs::path input = arguments.input;
  std::error_code error;
  if (input.string().rfind("/dev/video", 0) == 0) {
    return open_camera(input, arguments.camera_width, arguments.camera_height);
  }
  if (!fs::exists(input, error)) {
    throw ConfigurationError("there is no file or folder '" + input.string() + "'; check the path");
  }
  if (!fs::is_regular_file(input, error) && !fs::is_directory(input, error)) {
    throw ConfigurationError("'" + input.string() + "' is no file and no folder; name one, or /dev/videoN");
  }
  return std::make_unique<Files>(files_of(input, arguments.raw.has_value()), arguments, steps);
}

}  // namespace nerone::run
