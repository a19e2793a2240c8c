#pragma once

// Checks of a stream that need no data: every dependency ordered by tokens, tokens that match, rows written before
// they are read.
//
// Units run side by side, each in the stream's order. dpdby puts a token into the queue from its unit to another when
// the instruction is done, dpdon takes one before it starts. Two accesses of which one writes are ordered where a chain
// of tokens leads from the first to the second (vector clocks).

#include <cstdint>
#include <string>
#include <vector>

#include "isa/program.hpp"

namespace nerone::isa {

struct Checks {
  bool order = true;      // read after write, write after read, write after write
  bool tokens = true;     // a token for each that is waited for, and none left
  bool unwritten = true;  // rows, and bytes of registers that are written, read before anything is written there
  std::size_t most_findings = 100;  // described; all are counted
};

enum class FindingKind { read_after_write, write_after_read, write_after_write, unwritten, token };
const char* name_of(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::token;
  std::size_t instruction = 0;
  std::size_t earlier = 0;  // the instruction that it is not ordered with; its own where there is none
  std::string text;
};

struct Report {
  std::vector<Finding> findings;  // one for each instruction and kind, the first ones
  std::size_t count = 0;          // of all
  std::size_t pairs = 0;          // dependencies between units that were looked at, one for each pair of instructions
  std::size_t deepest_queue = 0;
};

Report check_order(const Program& program, const Checks& checks = {});

}  // namespace nerone::isa
