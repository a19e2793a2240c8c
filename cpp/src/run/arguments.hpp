#pragma once

#include <filesystem>
#include <nerone/device.hpp>
#include <nerone/preprocess.hpp>
#include <optional>
#include <string>

namespace nerone::run {

// Of a frame that stands in no file format: "512x512:int16", "240x320x3:uint8".
struct RawFormat {
  DType dtype = DType::uint8;
  int height = 0, width = 0, channels = 0;  // 0 channels: no third axis

  std::size_t frame_bytes() const;
};
RawFormat parse_raw_format(const std::string& text);  // ConfigurationError

struct Arguments {
  bool help = false, version = false;
  bool describe = false;  // say as JSON what was read of the bundle, and end
  bool json = false;
  bool skip_bad = false;
  bool on_network_grid = false;
  bool npy = false;  // masks as NPY, else as PNG
  std::filesystem::path bundle;
  std::string input;   // file, folder, /dev/videoN, or "-"
  std::string output;  // folder, "-", or empty: nothing is written
  std::optional<RawFormat> raw;
  std::optional<preprocess::Spacing> spacing_mm;
  int camera_height = 480, camera_width = 640;
  int frames = 0;   // 0: to the end
  int threads = 0;  // 0: chosen by the device
  DeviceOptions device;
};

Arguments parse_arguments(int count, const char* const* values);  // ConfigurationError
std::string help_text();
std::string version_text();

}  // namespace nerone::run
