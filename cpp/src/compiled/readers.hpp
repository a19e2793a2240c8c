#pragma once

// The instructions that read the first output channel of some weights.

#include <cstdint>
#include <string>
#include <vector>

#include "isa/machine.hpp"
#include "isa/stream.hpp"

namespace nerone::compiled {

struct StoredWeights {
  std::string op;          // the convolution's name, for messages
  std::int64_t reg = 0;    // its register
  std::int64_t begin = 0;  // where the weights begin there
  std::int64_t depth = 1;  // bytes of one tap
  bool depthwise = false;
};

struct Reader {
  int place = 0;  // which tap of the register its kernel begins with
  int kernel_h = 1, kernel_w = 1;
  int bank_out = 0, out = 0;  // where it writes
  int jump_write = 1;         // rows from one pixel to the next
};

// In the order of the stream.
std::vector<Reader> readers_of(const isa::Stream& stream, const isa::Machine& machine, const StoredWeights& weights,
                               int taps);

}  // namespace nerone::compiled
