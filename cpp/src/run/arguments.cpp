#include "run/arguments.hpp"

#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <nerone/error.hpp>
#include <regex>

namespace nerone::run {

namespace {

constexpr int most_threads = 1024;
constexpr int most_extent = 16384;
constexpr int most_channels = 64;
constexpr std::size_t most_characters = 64;  // of what a regular expression reads: it takes stack for each

int whole(const std::string& option, const std::string& text, int low, int high) {
  int value = -1;
  if (text.size() <= most_characters && std::regex_match(text, std::regex("\\d{1,9}"))) value = std::stoi(text);
  if (value < low || value > high) {
    throw ConfigurationError(option + " is '" + text + "'; expected a whole number from " + std::to_string(low) +
                             " to " + std::to_string(high));
  }
  return value;
}

preprocess::Spacing spacing_of(const std::string& text) {
  std::smatch parts;
  const std::string number = "(\\d{1,6}(?:\\.\\d{1,12})?)";
  if (text.size() <= most_characters && std::regex_match(text, parts, std::regex(number + "(?:," + number + ")?"))) {
    const double row = std::stod(parts[1]), column = parts[2].matched ? std::stod(parts[2]) : row;
    if (row > 0 && column > 0) return {row, column};
  }
  throw ConfigurationError("--spacing-mm is '" + text +
                           "'; expected one or two positive numbers of millimetres, ROW or ROW,COLUMN");
}

std::string one_of(const std::string& option, const std::string& text, const std::array<const char*, 2>& choices) {
  if (text == choices[0] || text == choices[1]) return text;
  throw ConfigurationError(option + " is '" + text + "'; expected " + choices[0] + " or " + choices[1]);
}

}  // namespace

std::size_t RawFormat::frame_bytes() const {
  return size_of(dtype) * static_cast<std::size_t>(height) * static_cast<std::size_t>(width) *
         static_cast<std::size_t>(channels == 0 ? 1 : channels);
}

RawFormat parse_raw_format(const std::string& text) {
  std::smatch parts;
  if (text.size() <= most_characters &&
      std::regex_match(text, parts, std::regex("(\\d{1,5})x(\\d{1,5})(?:x(\\d{1,2}))?:(\\w+)"))) {
    RawFormat format;
    format.height = std::stoi(parts[1]);
    format.width = std::stoi(parts[2]);
    format.channels = parts[3].matched ? std::stoi(parts[3]) : 0;
    const bool good = format.height >= 1 && format.height <= most_extent && format.width >= 1 &&
                      format.width <= most_extent && format.channels <= most_channels &&
                      (!parts[3].matched || format.channels >= 1);
    for (const DType dtype : {DType::uint8, DType::int8, DType::uint16, DType::int16, DType::int32, DType::float32}) {
      format.dtype = dtype;
      if (good && parts[4] == name_of(dtype)) return format;
    }
  }
  throw ConfigurationError("--raw is '" + text +
                           "'; expected HEIGHTxWIDTH:DTYPE or HEIGHTxWIDTHxCHANNELS:DTYPE, such as 512x512:int16, "
                           "with uint8, int8, uint16, int16, int32 or float32");
}

Arguments parse_arguments(int count, const char* const* values) {
  Arguments arguments;
  const std::map<std::string, bool*> flags = {{"--help", &arguments.help},       {"-h", &arguments.help},
                                              {"--version", &arguments.version}, {"--describe", &arguments.describe},
                                              {"--json", &arguments.json},       {"--skip-bad", &arguments.skip_bad}};
  const std::map<std::string, std::function<void(const std::string&, const std::string&)>> options = {
      {"--output", [&](const auto&, const auto& text) { arguments.output = text; }},
      {"--format",
       [&](const auto& o, const auto& text) {
         arguments.npy = one_of(o, text, {"png", "npy"}) == "npy";
       }},
      {"--grid",
       [&](const auto& o, const auto& text) {
         arguments.on_network_grid = one_of(o, text, {"image", "network"}) == "network";
       }},
      {"--raw", [&](const auto&, const auto& text) { arguments.raw = parse_raw_format(text); }},
      {"--spacing-mm", [&](const auto&, const auto& text) { arguments.spacing_mm = spacing_of(text); }},
      {"--frames", [&](const auto& o, const auto& text) { arguments.frames = whole(o, text, 1, 999'999'999); }},
      {"--threads", [&](const auto& o, const auto& text) { arguments.threads = whole(o, text, 1, most_threads); }},
      {"--camera-size",
       [&](const auto& o, const auto& text) {
         std::smatch parts;
         if (text.size() > most_characters || !std::regex_match(text, parts, std::regex("(\\d+)x(\\d+)"))) {
           throw ConfigurationError(o + " is '" + text + "'; expected WIDTHxHEIGHT, such as 640x480");
         }
         arguments.camera_width = whole(o, parts[1], 1, most_extent);
         arguments.camera_height = whole(o, parts[2], 1, most_extent);
       }},
      {"--device", [&](const auto&, const auto& text) { arguments.device.device = text; }}};
  const std::map<std::string, std::string> short_names = {{"-o", "--output"}, {"-t", "--threads"}};

  int places = 0;
  for (int i = 1; i < count; ++i) {
    std::string name = values[i];
    std::optional<std::string> value;
    if (const auto equals = name.find('='); name.rfind("--", 0) == 0 && equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    if (const auto full = short_names.find(name); full != short_names.end()) name = full->second;
    if (const auto flag = flags.find(name); flag != flags.end() && !value) {
      *flag->second = true;
    } else if (const auto option = options.find(name); option != options.end()) {
      if (!value && i + 1 >= count) throw ConfigurationError(name + " has no value; nerone-run --help shows it");
      if (!value) value = values[++i];
      option->second(name, *value);
    } else if (name.size() > 1 && name[0] == '-') {
      throw ConfigurationError("there is no option '" + name + "'; nerone-run --help lists them");
    } else if (places == 0) {
      arguments.bundle = name;
      ++places;
    } else if (places == 1) {
      arguments.input = name;
      ++places;
    } else {
      throw ConfigurationError("'" + name + "' is one argument too many; give BUNDLE and INPUT");
    }
  }
  if (arguments.help || arguments.version) return arguments;
  if (places == 0) throw ConfigurationError("no bundle was given; usage: nerone-run BUNDLE INPUT [-o OUTPUT]");
  if (places == 1 && !arguments.describe) {
    throw ConfigurationError("no input was given; name a file, a folder, /dev/videoN, or - for standard input");
  }
  if (arguments.input == "-" && !arguments.raw) {
    throw ConfigurationError(
        "standard input has no format of its own; say what a frame is, such as --raw 512x512:int16");
  }
  return arguments;
}

std::string version_text() { return "nerone-run " NERONE_VERSION "\n"; }

std::string help_text() {
  return R"(nerone-run BUNDLE INPUT [-o OUTPUT] [options]

Segments or classifies images with a bundle, without Python.

INPUT  a PNG, NPY or raw file, a folder of them, a camera (/dev/videoN), or - for raw frames on standard input.
       An NPY file of (N, H, W) or (N, H, W, C), and a raw file of several frames, is a volume: steps that want
       statistics of the whole volume get them. Files NAME_mask.* in a folder are left out.

  -o, --output OUTPUT   folder for masks, NAME_mask.png, or predictions.csv of a classification; - writes each mask, or
                        class, as raw uint8 to standard output, and the report to standard error. Without it only
                        speed is measured.
      --format FORMAT   of masks: png (grey levels are the bundle's label ids, the default) or npy (class numbers)
      --grid GRID       of masks: image (the image's own pixels, the default) or network
      --raw FORMAT      of raw frames: HEIGHTxWIDTH:DTYPE or HEIGHTxWIDTHxCHANNELS:DTYPE, such as 512x512:int16
      --spacing-mm MM   millimetres between pixels, ROW or ROW,COLUMN, for a preprocessing that resamples
      --camera-size WxH that is asked for, 640x480 by default
      --frames N        stop after N frames
  -t, --threads N       workers; by default two per core of a board's DPU, or one per processor core
      --device DEVICE   softdpu (the default), board, or the path of a VART runner library
      --skip-bad        leave out files that cannot be read
      --json            the report as JSON
      --describe        what was read of the bundle, as JSON
      --version, --help

Exit codes: 0 all frames are done, 1 files were left out or the run was stopped before its end, 2 it could not run.
Ctrl-C and SIGTERM finish the frames under way; a camera's or a stream's run ends so, with 0.
)";
}

}  // namespace nerone::run
