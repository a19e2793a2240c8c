#pragma once

// Constants behind the code of a YmmGenerator, each a whole register.

namespace nerone::softdpu::jit::ymm {

enum Constant {
  zeros,
  transpose,
  low_bytes,
  high_byte,
  most,
  least,
  leaky_factor,
  leaky_round,
  round,
  without_flip,
  word_ones,
  count
};

}  // namespace nerone::softdpu::jit::ymm
