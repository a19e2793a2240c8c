#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "isa/geometry.hpp"
#include "isa/program.hpp"

namespace nerone::isa {

// The banks of one DPU core, and the registers: DDR memory of somebody else's.
class Memory {
 public:
  explicit Memory(const Machine& machine)
      : channels_(machine.channels), bytes_(static_cast<std::size_t>(machine.bank_count()) * bank_rows * channels_) {}

  std::int8_t* row(RowAddress address) {
    return bytes_.data() + (std::size_t{static_cast<unsigned>(address.bank)} * bank_rows +
                            static_cast<unsigned>(address.row) % bank_rows) *
                               static_cast<std::size_t>(channels_);
  }
  int channels() const { return channels_; }
  // Rows from this address to the bank's end.
  static int rows_left(int row) { return bank_rows - static_cast<int>(static_cast<unsigned>(row) % bank_rows); }

  std::array<std::uint8_t*, register_count> registers{};

  // Counts the loads into banks of weights, so that prepared weights can be used again.
  std::uint64_t weights_version = 0;

 private:
  int channels_;
  std::vector<std::int8_t> bytes_;
};

}  // namespace nerone::isa
