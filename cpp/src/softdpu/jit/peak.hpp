#pragma once

#include <cstdint>
#include <memory>

namespace nerone::softdpu::jit {

// Dot products between registers and nothing else: the most that the processor can do.
class PeakLoop {
 public:
  PeakLoop();
  ~PeakLoop();

  std::int64_t macs() const;  // of one call
  void operator()() const { run_(); }

 private:
  class Generator;
  std::unique_ptr<Generator> generator_;
  void (*run_)() = nullptr;
};

}  // namespace nerone::softdpu::jit
