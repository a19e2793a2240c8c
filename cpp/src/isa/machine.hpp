#pragma once

// A DPU as its fingerprint describes it: version of the instruction set, size, banks.

#include <cstdint>
#include <string>

namespace nerone::isa {

constexpr int bank_rows = 2048;  // addresses are cyclic

struct Machine {
  const char* size = "";  // "B4096"
  int version = 0;        // of the instruction set
  int pixels = 0;         // lines of a tile, and banks of a group
  int channels = 0;       // bytes of a bank's row; channels of a group
  int image_groups = 0;   // groups of image banks
  int misc_pixels = 0;    // lines that one instruction of the misc unit takes at most

  // Banks stand in this order.
  int image_banks() const { return image_groups * pixels; }
  int weight_bank(int output_channel) const { return image_banks() + output_channel; }
  int depthwise_bank() const { return image_banks() + channels; }
  int bias_bank() const { return depthwise_bank() + 1; }
  int bank_count() const { return bias_bank() + 1; }
  // MACs of one cycle.
  int macs_per_cycle() const { return pixels * channels * channels; }
};

// ModelError for a fingerprint of a DPU that is not known.
Machine machine_of(std::uint64_t fingerprint, const std::string& dpu_name = "");

}  // namespace nerone::isa
