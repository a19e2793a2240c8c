#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nerone/export.hpp>
#include <nerone/preprocess.hpp>
#include <string>
#include <vector>

// The bundle: the folder that is deployed. nerone.bundle in Python writes it; this reads the part that running needs.
namespace nerone {

struct NERONE_EXPORT Bundle {
  std::filesystem::path folder;
  std::string name;
  std::string board;                  // that it was made for; "host" where for none
  std::string preset;                 // "" where it came from none
  std::filesystem::path model;        // for the software DPU
  std::filesystem::path board_model;  // for the board; empty where there is none
  preprocess::Steps preprocessing;
  bool classification = false;  // a class per image; otherwise a class per pixel
  std::vector<std::string> class_names;
  std::vector<std::array<std::uint8_t, 3>> colours;  // RGB, one per class
  std::vector<std::uint8_t> label_ids;               // the data set's own id of each class; empty where it has none
  std::array<int, 2> covers = {0, 0};  // rows, columns in the middle of the network's input that a mask covers; 0: all

  // `path`: the folder; ".nerone" may be left out. ConfigurationError: one sentence that names the field.
  static Bundle open(const std::filesystem::path& path);

  // What a device runs: the board's own file, where there is one, or the host's.
  const std::filesystem::path& model_for(const std::string& device) const;
};

}  // namespace nerone
