#include "door/installation.hpp"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>
#include <nerone/error.hpp>
#include <vector>

namespace nerone::door {

namespace {

namespace fs = std::filesystem;

// Versions that NERONE has a bridge for, newest first.
constexpr const char* sonames[] = {"3", "2"};
constexpr const char* remedy =
    "install VART 2.5, 3.0 or 3.5 (Debian 12: apt install libvart2; a board: its image's own), or NERONE's wheel for "
    "x86-64, which brings it";

#ifndef NERONE_LIBRARIES_OF_PROGRAM
#define NERONE_LIBRARIES_OF_PROGRAM "nerone"
#endif
#ifndef NERONE_BUILD_TREE_BRIDGES
#define NERONE_BUILD_TREE_BRIDGES nullptr
#endif

std::string library_file(const char* name, const std::string& soname) {
  return std::string("lib") + name + ".so." + soname;
}

// The real file of a library that was opened.
fs::path file_of(void* handle) {
  link_map* map = nullptr;
  if (handle == nullptr || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return {};
  std::error_code ignored;
  return fs::canonical(map->l_name, ignored);
}

fs::path folder_of_this_code() {
  Dl_info info{};
  link_map* map = nullptr;
  if (dladdr1(reinterpret_cast<void*>(&folder_of_this_code), &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) ==
      0)
    return {};
  // Of a program the C library knows only what it was called by.
  std::error_code ignored;
  const fs::path file = *map->l_name == '\0' ? fs::read_symlink("/proc/self/exe", ignored) : fs::path(map->l_name);
  return file.parent_path();
}

// "2.5.0" of libxir.so.2.5.0.
std::string version_of(const fs::path& file) {
  const auto name = file.filename().string();
  const auto at = name.find(".so.");
  return at == std::string::npos ? "" : name.substr(at + 4);
}

std::string minor_of(const std::string& version) {
  const auto dot = version.find('.');
  return dot == std::string::npos ? version : version.substr(0, version.find('.', dot + 1));
}

void check_together(const fs::path& vart, const fs::path& xir) {
  const bool apart = vart.parent_path() != xir.parent_path();
  if (!apart && minor_of(version_of(vart)) == minor_of(version_of(xir))) return;
  throw DeviceError("'" + vart.string() + "' works with '" + xir.string() +
                    "', which is of another installation; remove one of the two, or take its folder out of "
                    "LD_LIBRARY_PATH");
}

const Door* open_bridge(const std::string& soname) {
  const std::string file = "libnerone_vart" + soname + ".so";
  const char* build_tree = NERONE_BUILD_TREE_BRIDGES;
  const auto path = beside_this_code(file, build_tree == nullptr ? nullptr : (fs::path(build_tree) / file).c_str());
  void* handle = dlopen(path.c_str(), open_flags());
  if (handle == nullptr) {
    const char* reason = dlerror();
    throw DeviceError("VART " + soname + " is installed, but '" + path.string() + "' cannot be opened with it (" +
                      (reason != nullptr ? reason : "no reason given") + "); " + remedy);
  }
  const auto enter = reinterpret_cast<BridgeEntryPoint>(dlsym(handle, bridge_entry_point));
  const Door* door = enter == nullptr ? nullptr : enter(NERONE_VERSION);
  if (door == nullptr) throw DeviceError("'" + path.string() + "' is of another version of NERONE; reinstall nerone");
  return door;
}

Installation use(void* vart, const std::string& soname, bool bundled) {
  const auto file = file_of(vart);
  Installation found{version_of(file), file.parent_path(), bundled, nullptr};
  if (found.version.empty()) found.version = soname;
  const auto refusal = refusal_of(found.version);
  if (!refusal.empty()) throw DeviceError(refusal);
  void* xir = dlopen(library_file("xir", soname).c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (xir == nullptr) throw DeviceError("'" + file.string() + "' did not load its libxir.so." + soname + "; " + remedy);
  check_together(file, file_of(xir));
  dlclose(xir);
  found.door = open_bridge(soname);
  return found;
}

// Not closed again where it is used: runners live in its code.
Installation find() {
  for (const int flags : {RTLD_LAZY | RTLD_NOLOAD, open_flags()}) {
    for (const char* soname : sonames) {
      void* vart = dlopen(library_file("vart-runner", soname).c_str(), flags);
      if (vart != nullptr) return use(vart, soname, false);
    }
  }
  // The libraries that came with NERONE look for each other in their own folder.
  for (const char* soname : sonames) {
    const auto file = beside_this_code("vart_libraries/" + library_file("vart-runner", soname), nullptr);
    std::error_code ignored;
    if (!fs::exists(file, ignored)) continue;
    void* vart = dlopen(file.c_str(), open_flags());
    if (vart != nullptr) return use(vart, soname, true);
    const char* reason = dlerror();
    throw DeviceError("the VART that came with NERONE cannot be opened (" + std::string(reason ? reason : "") +
                      "); reinstall nerone, or " + remedy);
  }
  void* old = dlopen(library_file("vart-runner", "1").c_str(), RTLD_LAZY);
  if (old != nullptr) throw DeviceError(refusal_of("1.4"));
  throw DeviceError(std::string("no VART on this machine, libvart-runner.so.3 and .2 cannot be opened; ") + remedy);
}

}  // namespace

std::string refusal_of(const std::string& version) {
  const auto minor = minor_of(version);
  const bool first = version.rfind("1", 0) == 0;
  if (!first && minor != "2.0") return {};
  return "this machine has VART " + minor + " (" +
         (first ? "Vitis AI 1.4 and older: PYNQ 2.7's image" : "Vitis AI 2.0: PetaLinux 2021.2's image") +
         "), whose objects are laid out differently; NERONE needs 2.5, 3.0 or 3.5: use the image of PYNQ 3.0, "
         "Kria-PYNQ "
         "or PetaLinux 2022.1 or newer";
}

int open_flags() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return RTLD_NOW | RTLD_LOCAL;
#else
  return RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif
}

fs::path beside_this_code(const std::string& file, const char* build_tree) {
  const auto folder = folder_of_this_code();
  std::error_code ignored;
  // In the extension's folder all lie together; beside libnerone.so, or a program that is copied, they have a folder of
  // their own; an installed program's is that of libnerone.so.
  for (const auto& place : {folder / file, folder / "nerone" / file, folder / NERONE_LIBRARIES_OF_PROGRAM / file}) {
    if (fs::exists(place, ignored)) return fs::absolute(place, ignored);
  }
  return build_tree != nullptr ? build_tree : fs::absolute(folder / file, ignored);
}

const Installation& installation() {
  // After an error the next call looks again: what was missing may have been installed.
  static const Installation found = find();
  return found;
}

}  // namespace nerone::door
