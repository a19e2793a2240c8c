#pragma once

#include <filesystem>
#include <string>

#include "door/door.hpp"

namespace nerone::door {

// The VART that this process uses.
struct Installation {
  std::string version;           // "2.5.0" as its file's name has it; "2" where that has none
  std::filesystem::path folder;  // where libvart-runner lies
  bool bundled = false;          // it came with NERONE
  const Door* door = nullptr;
};

// Chosen at the first call, for the whole process: the VART that the process has loaded already, else the one that the
// loader finds, the newest first, else the one that came with NERONE. Always libxir and libvart of one installation.
// DeviceError where there is none, or one that NERONE cannot use. Thread-safe.
const Installation& installation();

inline const Door& installed() { return *installation().door; }

// A file that is installed beside this code, or else where the build tree has it (may be nullptr).
std::filesystem::path beside_this_code(const std::string& file, const char* build_tree);

// With DEEPBIND a library keeps to its own libraries when the process (TensorFlow) exports others of the same names;
// sanitizers replace symbols globally and cannot work with it.
int open_flags();

// Why a VART of this version is refused; empty if it is supported. For the tests.
std::string refusal_of(const std::string& version);

}  // namespace nerone::door
