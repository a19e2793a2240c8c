#include "isa/machine.hpp"

#include <iterator>
#include <nerone/error.hpp>
#include <sstream>

#include "isa/formats.hpp"

namespace nerone::isa {

namespace {

struct Size {
  const char* name;
  int pixels, channels;
};

// In the order of the fingerprint's last digit.
constexpr Size sizes[] = {{"B512", 4, 8},   {"B800", 4, 10},  {"B1024", 8, 8},  {"B1152", 4, 12},
                          {"B1600", 8, 10}, {"B2304", 8, 12}, {"B3136", 8, 14}, {"B4096", 8, 16}};

[[noreturn]] void refuse(std::uint64_t fingerprint, const std::string& reason) {
  std::ostringstream text;
  text << "fingerprint 0x" << std::hex << fingerprint << ": " << reason << "; compile the model for a DPUCZDX8G";
  throw ModelError(text.str());
}

}  // namespace

Machine machine_of(std::uint64_t fingerprint, const std::string& dpu_name) {
  Machine machine;
  machine.version = static_cast<int>((fingerprint >> 48) & 0xff);
  if (machine.version >= version_count) {
    refuse(fingerprint,
           "version " + std::to_string(machine.version) + " of the instruction set is not known, expected 0 or 1");
  }
  const auto size = fingerprint & 15;
  if (size >= std::size(sizes)) refuse(fingerprint, "its DPU's size is not known");
  machine.size = sizes[size].name;
  machine.pixels = sizes[size].pixels;
  machine.channels = sizes[size].channels;
  machine.misc_pixels = static_cast<int>((fingerprint >> 8) & 15);
  if (machine.version == 0) {
    machine.image_groups = dpu_name.find("BG2") != std::string::npos ? 2 : 3;
  } else {
    machine.image_groups = static_cast<int>((fingerprint >> 24) & 3);
  }
  if (machine.image_groups == 0) refuse(fingerprint, "its DPU has no banks for images");
  if (machine.misc_pixels == 0 || machine.misc_pixels > machine.pixels) {
    refuse(fingerprint, "its misc unit takes " + std::to_string(machine.misc_pixels) + " lines, expected 1 to " +
                            std::to_string(machine.pixels));
  }
  return machine;
}

}  // namespace nerone::isa
