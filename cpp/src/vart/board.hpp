#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nerone/xmodel.hpp>
#include <optional>
#include <string>
#include <vector>

namespace nerone::vart {

// Where the facts about a board come from; replaceable for tests.
struct BoardProbe {
  // Any one of them is enough: the zocl render node of XRT, or the older DPU driver's.
  std::vector<std::filesystem::path> device_nodes = {"/dev/dri/renderD128", "/dev/dpu"};
  std::function<std::optional<std::uint64_t>()> fingerprint;

  static BoardProbe of_this_machine();
};

// The vendor's runner ends the process when the board has no DPU or another one than the model was compiled for, so
// ask before it does. Throws DeviceError saying what is missing and the remedy.
void check_board(const xmodel::Subgraph& subgraph, const BoardProbe& probe);

// The first fingerprint in what `xdputil query` prints.
std::optional<std::uint64_t> parse_fingerprint(const std::string& text);

}  // namespace nerone::vart
