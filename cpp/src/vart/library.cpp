#include "vart/library.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <map>
#include <nerone/error.hpp>

#include "vart/board.hpp"

namespace nerone::vart {

namespace {

using Libraries = std::map<std::string, std::string>;

constexpr const char* entry_point = "create_runner_with_attrs";
constexpr const char* plugin_file = "libnerone_softdpu.so";

// With DEEPBIND a plug-in keeps to its own libraries when the process (TensorFlow) exports others of the same
// names; sanitizers replace symbols globally and cannot work with it.
int open_flags() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return RTLD_NOW | RTLD_LOCAL;
#else
  return RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif
}

// Never closed: VART does not close it either, and runners live in its code.
void open_and_check(const std::string& library, const std::string& remedy) {
  void* handle = dlopen(library.c_str(), open_flags());
  if (handle == nullptr) {
    const char* reason = dlerror();
    throw DeviceError("runner library '" + library + "' cannot be opened (" + (reason ? reason : "no reason given") +
                      "); " + remedy);
  }
  if (dlsym(handle, entry_point) == nullptr) {
    throw DeviceError("'" + library + "' is no VART runner library, it does not export " + entry_point + "; " + remedy);
  }
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

std::filesystem::path folder_of_this_code() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&softdpu_library), &info) == 0 || info.dli_fname == nullptr) return {};
  return std::filesystem::path(info.dli_fname).parent_path();
}

}  // namespace

std::filesystem::path softdpu_library() {
  if (const char* chosen = std::getenv("NERONE_SOFTDPU_LIBRARY"); chosen != nullptr && *chosen != '\0') return chosen;
  auto installed = folder_of_this_code() / plugin_file;
  std::error_code ignored;
#ifdef NERONE_BUILD_TREE_SOFTDPU
  if (!std::filesystem::exists(installed, ignored)) return NERONE_BUILD_TREE_SOFTDPU;
#endif
  return std::filesystem::absolute(installed, ignored);
}

void check_subgraph(const xmodel::Subgraph& subgraph) {
  if (subgraph.device() != "DPU") {
    throw ModelError("subgraph '" + subgraph.name + "' is for device '" + subgraph.device() +
                     "'; only DPU subgraphs have a runner");
  }
  runner_libraries(subgraph);
}

std::string open_library(const xmodel::Subgraph& subgraph, const DeviceOptions& options) {
  if (options.device == "softdpu") {
    const auto library = softdpu_library().string();
    open_and_check(library, "reinstall nerone, or name another device");
    return library;
  }
  if (options.device == "board") {
    const auto& library = runner_libraries(subgraph).at("run");
    open_and_check(library, "install the board's VART packages, or use device 'softdpu'");
    check_board(subgraph, BoardProbe::of_this_machine());
    return library;
  }
  std::error_code ignored;
  const std::filesystem::path named = options.device;
  if (!std::filesystem::is_regular_file(named, ignored)) {
    throw DeviceError("unknown device '" + options.device +
                      "'; use 'softdpu', 'board', or the path of a VART runner library that exists");
  }
  const auto library = std::filesystem::absolute(named, ignored).string();
  open_and_check(library, "name a library that exports VART's entry points");
  return library;
}

}  // namespace nerone::vart
