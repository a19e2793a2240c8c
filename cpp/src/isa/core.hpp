#pragma once

// One DPU core: runs programs instruction after instruction in the order of the stream.

#include "isa/execute.hpp"
#include "isa/memory.hpp"
#include "isa/program.hpp"

namespace nerone::isa {

class Core {
 public:
  explicit Core(const Machine& machine) : memory_(machine) {}

  // The registers' memory must be as large as check_registers() was told.
  void run(const Program& program, const std::array<std::uint8_t*, register_count>& registers) {
    run(program, registers, [] {});
  }

  // Calls `done` after each instruction.
  template <typename Done>
  void run(const Program& program, const std::array<std::uint8_t*, register_count>& registers, Done&& done) {
    memory_.registers = registers;
    for (const auto& operation : program.operations) {
      execute(operation, program.machine, memory_, scratch_);
      done();
    }
  }

 private:
  Memory memory_;
  Scratch scratch_;
};

}  // namespace nerone::isa
