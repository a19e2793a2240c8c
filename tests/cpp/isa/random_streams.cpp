#include "random_streams.hpp"

#include <algorithm>
#include <variant>

namespace nerone::isa::testing {

namespace {

constexpr std::size_t register_bytes = std::size_t{1} << 12;

std::int64_t taps(const Window& window) { return std::int64_t{window.groups} * window.kernel_h * window.kernel_w; }

}  // namespace

std::uint32_t any_value(const Field& field, Random& random) {
  const auto limit = random() % 8 == 0 ? field.mask() : std::min<std::uint32_t>(field.mask(), random() % 8);
  return field.smallest() + static_cast<std::uint32_t>(random() % (std::uint64_t{limit} + 1));
}

Instruction any(const Format& format, Random& random) {
  Instruction instruction;
  instruction.format = &format;
  instruction.dpdon = random() & 15;
  instruction.dpdby = random() & 15;
  for (int i = 0; i < format.count; ++i) {
    instruction.values[static_cast<std::size_t>(i)] = any_value(format.fields[i], random);
  }
  return instruction;
}

Registers::Registers() {
  for (std::size_t i = 0; i < register_count; ++i) {
    bytes_[i].resize(register_bytes);
    sizes[static_cast<int>(i)] = register_bytes;
    addresses[i] = bytes_[i].data();
  }
}

bool is_short(const Program& program, std::int64_t most_work) {
  std::int64_t work = 0;
  for (const auto& operation : program.operations) {
    if (const auto* op = std::get_if<Convolution>(&operation)) {
      work += std::int64_t{op->tile.lines} * op->window.columns * taps(op->window);
    } else if (const auto* pooling = std::get_if<Pooling>(&operation)) {
      work += std::int64_t{pooling->tile.lines} * pooling->tile.columns * taps(pooling->window);
    } else if (const auto* channelwise = std::get_if<Depthwise>(&operation)) {
      work += std::int64_t{channelwise->tile.lines} * channelwise->tile.columns * taps(channelwise->window);
    }
  }
  return work < most_work;
}

}  // namespace nerone::isa::testing
