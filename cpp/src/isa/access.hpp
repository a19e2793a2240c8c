#pragma once

// Which rows and which bytes of DDR an instruction touches. They do not depend on data, so that a stream can be
// checked without running it.

#include <cstdint>

#include "isa/program.hpp"

namespace nerone::isa {

class AccessSink {
 public:
  virtual ~AccessSink() = default;
  // `count` rows from this one on, addresses cyclic.
  virtual void rows(RowAddress first, int count, bool is_write) = 0;
  virtual void ddr(int reg, std::int64_t first, std::int64_t count, bool is_write) = 0;
};

// Reads first, then writes.
void visit_accesses(const Operation& operation, const Machine& machine, AccessSink& sink);

}  // namespace nerone::isa
