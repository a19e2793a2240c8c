#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "run/picture.hpp"

namespace nerone::run {

// Grey becomes (H, W), uint16 where it has 16 bits, otherwise uint8; colours (H, W, 3) uint8. Alpha is dropped.
// ConfigurationError.
Picture read_png(const std::filesystem::path& path);

// A grey picture whose levels are the classes' ids, which every reader gives as they are; class numbers where `ids` is
// empty.
std::string png_of(const Mask& mask, const std::vector<std::uint8_t>& ids);

}  // namespace nerone::run
