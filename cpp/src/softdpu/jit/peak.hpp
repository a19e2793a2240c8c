#pragma once

#include <cstdint>
#include <memory>

#include "softdpu/jit/isa.hpp"

namespace nerone::softdpu::jit {

// Dot products between registers and nothing else: the most that the processor can do with these instructions.
class PeakLoop {
 public:
  explicit PeakLoop(Isa isa);
  ~PeakLoop();

  std::int64_t macs() const;  // of one call
  void operator()() const { run_(); }

 private:
  class Generator;
  Isa isa_;
  std::unique_ptr<Generator> generator_;
  void (*run_)() = nullptr;
};

}  // namespace nerone::softdpu::jit
