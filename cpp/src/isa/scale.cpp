#include <algorithm>

#include "isa/execute.hpp"

namespace nerone::isa {

std::int8_t scaled(const Scale& scale, std::int64_t sum, std::int64_t bias) {
  auto twice = 2 * sum + bias * (std::int64_t{1} << scale.bias_shift);
  auto shift = scale.shift + 1;
  if (scale.act == Act::leaky && twice < 0) {
    twice *= 26;
    shift += 8;
  } else if (scale.act == Act::relu || scale.act == Act::relu6) {
    twice = std::max<std::int64_t>(twice, 0);
  }
  shift = std::min(shift, 62);
  const auto rounded = (twice + (std::int64_t{1} << (shift - 1))) >> shift;
  if (scale.act == Act::relu6) return static_cast<std::int8_t>(std::clamp<std::int64_t>(rounded, 0, 96));
  return static_cast<std::int8_t>(std::clamp<std::int64_t>(rounded, -128, 127));
}

void execute(const Operation& operation, const Machine& machine, Memory& memory, Scratch& scratch) {
  if (const auto* transfer = std::get_if<Transfer>(&operation)) {
    if (transfer->is_load) {
      load(*transfer, machine, memory);
    } else {
      save(*transfer, memory);
    }
  } else if (const auto* convolution = std::get_if<Convolution>(&operation)) {
    convolve(*convolution, machine, memory, scratch);
  } else if (const auto* channelwise = std::get_if<Depthwise>(&operation)) {
    depthwise(*channelwise, machine, memory, scratch);
  } else if (const auto* pooling = std::get_if<Pooling>(&operation)) {
    pool(*pooling, machine, memory, scratch);
  } else if (const auto* sigmoid = std::get_if<HardSigmoid>(&operation)) {
    hard_sigmoid(*sigmoid, machine, memory);
  } else if (const auto* several = std::get_if<Elementwise>(&operation)) {
    elementwise(*several, machine, memory);
  }
}

}  // namespace nerone::isa
