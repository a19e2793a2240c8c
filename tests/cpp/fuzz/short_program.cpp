#include "short_program.hpp"

namespace nerone::fuzz {

namespace {

constexpr std::int64_t most_work = 1 << 11;

std::int64_t taps(const isa::Window& window) { return std::int64_t{window.groups} * window.kernel_h * window.kernel_w; }

}  // namespace

bool is_short(const isa::Program& program) {
  std::int64_t work = 0;
  for (const auto& operation : program.operations) {
    if (const auto* op = std::get_if<isa::Convolution>(&operation)) {
      work += op->tile.lines * op->window.columns * taps(op->window);
    } else if (const auto* pooling = std::get_if<isa::Pooling>(&operation)) {
      work += pooling->tile.lines * pooling->tile.columns * taps(pooling->window);
    } else if (const auto* channelwise = std::get_if<isa::Depthwise>(&operation)) {
      work += channelwise->tile.lines * channelwise->tile.columns * taps(channelwise->window);
    }
  }
  return work < most_work;
}

}  // namespace nerone::fuzz
