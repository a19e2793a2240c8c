#pragma once

#include <filesystem>
#include <nerone/device.hpp>
#include <nerone/xmodel.hpp>
#include <string>

namespace nerone::vart {

// Library name that makes VART create its runners from a library that is open and has VART's entry point.
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

// Whether the device is the software DPU by its name, not by the path of its library.
bool is_softdpu(const DeviceOptions& options);

// The software DPU's library: $NERONE_SOFTDPU_LIBRARY, or the one installed beside this code.
std::filesystem::path softdpu_library();

// Refuses subgraphs on which VART would end the process: not a DPU subgraph, no `runner` attribute with mode "run".
// Throws ModelError.
void check_subgraph(const xmodel::Subgraph& subgraph);

}  // namespace nerone::vart
