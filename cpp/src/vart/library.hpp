#pragma once

#include <filesystem>
#include <nerone/device.hpp>
#include <nerone/xmodel.hpp>
#include <string>

namespace nerone::vart {

// What to give to VART so that it makes runners of a library that was opened and found to have VART's entry point.
class Library {
 public:
  // The one that `options.device` stands for. DeviceError with the remedy where it cannot be used.
  static Library open(const xmodel::Subgraph& subgraph, const DeviceOptions& options);

  // The file name for VART's `lib` attribute, for the next runner that this thread creates.
  std::string enter() const;

 private:
  std::string name_;        // as VART opens it itself
  void* create_ = nullptr;  // or the entry point, to which our entry library leads
};

// The software DPU's library: $NERONE_SOFTDPU_LIBRARY, or the one installed beside this code.
std::filesystem::path softdpu_library();

// What VART would end the process for: not a DPU subgraph, no `runner` attribute with mode "run". Throws ModelError.
void check_subgraph(const xmodel::Subgraph& subgraph);

}  // namespace nerone::vart
