#pragma once

#include <filesystem>
#include <nerone/device.hpp>
#include <nerone/xmodel.hpp>
#include <string>

namespace nerone::vart {

// The runner library that `options.device` stands for, opened and found to have VART's entry point. VART opens it again
// by this name. Throws DeviceError with the remedy where it cannot be used.
std::string open_library(const xmodel::Subgraph& subgraph, const DeviceOptions& options);

// The software DPU's library: $NERONE_SOFTDPU_LIBRARY, or the one installed beside this code.
std::filesystem::path softdpu_library();

// What VART would end the process for: not a DPU subgraph, no `runner` attribute with mode "run". Throws ModelError.
void check_subgraph(const xmodel::Subgraph& subgraph);

}  // namespace nerone::vart
