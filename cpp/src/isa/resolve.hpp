#pragma once

#include <optional>
#include <vector>

#include "isa/program.hpp"

namespace nerone::isa {

// Applies the INITs in force to the instructions behind them.
class Resolver {
 public:
  explicit Resolver(const Machine& machine) : machine_(machine) {}

  // ModelError for an instruction that cannot run, without its number.
  Operation next(const Instruction& instruction);

 private:
  Transfer transfer(const Instruction& instruction, bool is_load) const;
  Convolution convolution(const Instruction& conv) const;
  Depthwise depthwise(const Instruction& dptwise) const;
  Pooling pooling(const Instruction& pool) const;
  Operation alu(const Instruction& alu) const;
  Elementwise elementwise(const Instruction& elew);

  Window window(const Instruction& instruction, const Instruction& init, int lines, int columns, int groups) const;
  Tile tile(const Instruction& instruction, const Instruction& init, int lines, int columns, int groups) const;
  // ModelError where a line leaves its bank or its lines their turns.
  void check(const Window& window) const;
  void check(const Tile& tile) const;
  void check_lines(int lines) const;

  Machine machine_;
  std::optional<Instruction> conv_init_, dw_init_, pool_init_, alu_init_;
  std::vector<Instruction> elew_inits_;
};

}  // namespace nerone::isa
