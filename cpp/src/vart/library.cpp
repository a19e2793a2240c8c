#include "vart/library.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <map>
#include <nerone/error.hpp>

#include "door/installation.hpp"
#include "vart/board.hpp"

namespace nerone::vart {

namespace {

using Libraries = std::map<std::string, std::string>;

constexpr const char* entry_point = "create_runner_with_attrs";
constexpr const char* plugin_file = "libnerone_softdpu.so";
constexpr const char* entry_file = "libnerone_vart_entry.so";

// Never closed: VART does not close it either, and runners live in its code. Returns the entry point.
void* open_and_check(const std::string& library, const std::string& remedy) {
  void* handle = dlopen(library.c_str(), door::open_flags());
  if (handle == nullptr) {
    const char* reason = dlerror();
    throw DeviceError("runner library '" + library + "' cannot be opened (" + (reason ? reason : "no reason given") +
                      "); " + remedy);
  }
  void* entry = dlsym(handle, entry_point);
  if (entry == nullptr) {
    throw DeviceError("'" + library + "' is no VART runner library, it does not export " + entry_point + "; " + remedy);
  }
  return entry;
}

const Libraries& runner_libraries(const xmodel::Subgraph& subgraph) {
  const auto found = subgraph.attrs.find("runner");
  const auto* libraries = found == subgraph.attrs.end() ? nullptr : std::get_if<Libraries>(&found->second);
  if (libraries == nullptr || libraries->count("run") == 0) {
    throw ModelError(
        "subgraph '" + subgraph.name +
        "' names no runner for mode 'run' (attribute 'runner'); the model was not compiled, compile it first");
  }
  return *libraries;
}

#ifndef NERONE_BUILD_TREE_ENTRY
#define NERONE_BUILD_TREE_ENTRY nullptr
#endif
#ifndef NERONE_BUILD_TREE_SOFTDPU
#define NERONE_BUILD_TREE_SOFTDPU nullptr
#endif

struct Entry {
  using SetTarget = void (*)(void*);

  std::string file = door::beside_this_code(entry_file, NERONE_BUILD_TREE_ENTRY).string();
  SetTarget set_target = nullptr;

  Entry() {
    open_and_check(file, "reinstall nerone");
    set_target = reinterpret_cast<SetTarget>(
        dlsym(dlopen(file.c_str(), RTLD_NOW | RTLD_NOLOAD), "nerone_vart_entry_set_target"));
    if (set_target == nullptr) throw DeviceError("'" + file + "' is of another version; reinstall nerone");
  }
};

}  // namespace

std::filesystem::path softdpu_library() {
  if (const char* chosen = std::getenv("NERONE_SOFTDPU_LIBRARY"); chosen != nullptr && *chosen != '\0') return chosen;
  return door::beside_this_code(plugin_file, NERONE_BUILD_TREE_SOFTDPU);
}

bool is_softdpu(const DeviceOptions& options) { return options.device == "softdpu"; }

void check_subgraph(const xmodel::Subgraph& subgraph) {
  if (subgraph.device() != "DPU") {
    throw ModelError("subgraph '" + subgraph.name + "' is for device '" + subgraph.device() +
                     "'; only DPU subgraphs have a runner");
  }
  runner_libraries(subgraph);
}

Library Library::open(const xmodel::Subgraph& subgraph, const DeviceOptions& options) {
  Library library;
  if (options.device == "board") {
    // First the board: on AArch64 merely opening the vendor's runner ends the process where there is no device.
    check_board(subgraph, BoardProbe::of_this_machine());
    // The vendor's libraries are opened as the vendor opens them: they look each other up in the global scope.
    library.name_ = runner_libraries(subgraph).at("run");
    open_and_check(library.name_, "install the board's VART packages, or use device 'softdpu'");
    return library;
  }
  if (is_softdpu(options)) {
    library.create_ = open_and_check(softdpu_library().string(), "reinstall nerone, or name another device");
    return library;
  }
  std::error_code ignored;
  const std::filesystem::path named = options.device;
  if (!std::filesystem::is_regular_file(named, ignored)) {
    throw DeviceError("unknown device '" + options.device +
                      "'; use 'softdpu', 'board', or the path of a VART runner library that exists");
  }
  library.create_ = open_and_check(std::filesystem::absolute(named, ignored).string(),
                                   "name a library that exports VART's entry points");
  return library;
}

std::string Library::enter() const {
  if (create_ == nullptr) return name_;
  static const Entry entry;
  entry.set_target(create_);
  return entry.file;
}

}  // namespace nerone::vart
