#include "compiled/readers.hpp"

#include <array>

namespace nerone::compiled {

namespace {

using isa::FieldId;
using isa::Opcode;

// Follows one weight bank: where in the register the bytes of each row came from.
class Follower {
 public:
  Follower(const isa::Machine& machine, const StoredWeights& weights, int taps)
      : machine_(machine),
        weights_(weights),
        taps_(taps),
        bank_(weights.depthwise ? machine.depthwise_bank() : machine.weight_bank(0)) {
    sources_.fill(unknown);
  }

  void follow(const isa::Instruction& instruction, std::vector<Reader>& readers) {
    switch (instruction.format->opcode) {
      case Opcode::load:
        load(instruction);
        break;
      case Opcode::conv_init:
      case Opcode::dw_init:
      case Opcode::alu_init:
        setup_ = &instruction;
        break;
      case Opcode::conv:
        if (!weights_.depthwise) read(instruction, readers);
        break;
      case Opcode::dptwise:
      case Opcode::alu:
        if (weights_.depthwise) read(instruction, readers);
        break;
      default:
        break;
    }
  }

 private:
  static constexpr std::int64_t unknown = -1;

  static int number(const isa::Instruction& instruction, FieldId field) { return static_cast<int>(instruction[field]); }

  void load(const isa::Instruction& load) {
    if (number(load, FieldId::bank) != bank_) return;
    const bool is_ours = load[FieldId::reg] == static_cast<std::uint32_t>(weights_.reg);
    const int rows = (number(load, FieldId::channel) + machine_.channels - 1) / machine_.channels;
    if (rows * number(load, FieldId::length) > isa::bank_rows) {  // it overwrites itself; no compiler does that
      sources_.fill(unknown);
      return;
    }
    for (int piece = 0; piece < number(load, FieldId::length); ++piece) {
      const auto from = std::int64_t{load[FieldId::ddr]} + std::int64_t{piece} * load[FieldId::jump_read];
      const int to = number(load, FieldId::addr) + piece * number(load, FieldId::jump_write);
      for (int row = 0; row < rows; ++row) {
        source_of(to + row) = is_ours ? from + std::int64_t{row} * machine_.channels : unknown;
      }
    }
  }

  // Only the first output channel's taps, from the first input channel on.
  void read(const isa::Instruction& reader, std::vector<Reader>& readers) const {
    if (setup_ == nullptr || !setup_->has(FieldId::kernel_h) || !setup_->has(FieldId::jump_write)) return;
    const auto offset = sources_[reader[FieldId::waddr] % isa::bank_rows] - weights_.begin;
    if (offset < 0 || offset >= taps_ * weights_.depth || offset % weights_.depth != 0) return;
    readers.push_back({static_cast<int>(offset / weights_.depth), number(*setup_, FieldId::kernel_h),
                       number(*setup_, FieldId::kernel_w), number(reader, FieldId::bank_out),
                       number(reader, FieldId::out), number(*setup_, FieldId::jump_write)});
  }

  std::int64_t& source_of(int row) { return sources_[static_cast<std::size_t>(row % isa::bank_rows)]; }

  const isa::Machine& machine_;
  const StoredWeights& weights_;
  int taps_, bank_;
  const isa::Instruction* setup_ = nullptr;
  std::array<std::int64_t, isa::bank_rows> sources_{};
};

}  // namespace

std::vector<Reader> readers_of(const isa::Stream& stream, const isa::Machine& machine, const StoredWeights& weights,
                               int taps) {
  std::vector<Reader> readers;
  Follower follower(machine, weights, taps);
  for (const auto& instruction : stream) follower.follow(instruction, readers);
  return readers;
}

}  // namespace nerone::compiled
