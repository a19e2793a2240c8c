#include "compiled/phases.hpp"

#include <gtest/gtest.h>

#include <nerone/error.hpp>
#include <utility>
#include <vector>

namespace nerone::compiled {
namespace {

using isa::FieldId;

constexpr int depth = 16, channels_of_output = 2;  // bytes of a tap; groups of channels that a pixel has

const isa::Machine& machine() {
  static const auto found = isa::machine_of(0x101000056010407);
  return found;
}

// An instruction whose fields have their smallest values but these.
isa::Instruction make(const char* name, const std::vector<std::pair<FieldId, std::uint32_t>>& fields) {
  isa::Instruction instruction;
  instruction.format = isa::format_of(machine().version, name);
  for (int i = 0; i < instruction.format->count; ++i) {
    instruction.values[static_cast<std::size_t>(i)] = instruction.format->fields[i].smallest();
  }
  for (const auto& [field, value] : fields) {
    instruction.values[static_cast<std::size_t>(isa::place_of(*instruction.format, field))] = value;
  }
  return instruction;
}

// Two tiles of a transposed convolution whose phases stand in the register in the given order.
isa::Stream stream_of(const TransposedKernel& kernel, const PhaseOrder& order) {
  const auto taps = static_cast<std::uint32_t>(kernel.kernel_h * kernel.kernel_w);
  constexpr std::uint32_t first_row = 2040, line = 64;
  isa::Stream stream{make("LOAD", {{FieldId::bank, static_cast<std::uint32_t>(machine().weight_bank(0))},
                                   {FieldId::addr, first_row},
                                   {FieldId::ddr, 4096},
                                   {FieldId::channel, depth},
                                   {FieldId::jump_read, depth},
                                   {FieldId::length, taps}})};
  for (const std::uint32_t tile : {0U, 512U}) {
    std::uint32_t place = 0;
    for (const int row : order.rows) {
      for (const int column : order.columns) {
        const auto height = static_cast<std::uint32_t>(phase_taps(row, kernel.kernel_h, kernel.stride_h));
        const auto width = static_cast<std::uint32_t>(phase_taps(column, kernel.kernel_w, kernel.stride_w));
        if (height * width == 0) continue;
        const int y = phase_of(row, kernel.kernel_h, kernel.stride_h, kernel.pad_top);
        const int x = phase_of(column, kernel.kernel_w, kernel.stride_w, kernel.pad_left);
        stream.push_back(make(
            "CONVINIT", {{FieldId::kernel_h, height},
                         {FieldId::kernel_w, width},
                         {FieldId::jump_write, static_cast<std::uint32_t>(kernel.stride_w) * channels_of_output}}));
        const auto out =
            tile + static_cast<std::uint32_t>(y) * line + static_cast<std::uint32_t>(x) * channels_of_output;
        stream.push_back(make("CONV", {{FieldId::waddr, (first_row + place) % isa::bank_rows}, {FieldId::out, out}}));
        place += height * width;
      }
    }
  }
  return stream;
}

const StoredWeights weights{"up", 0, 4096, depth, false};

// The sizes of their phases tell the two orders apart, or both are one; of the last, three orders have these sizes.
const TransposedKernel kernels[] = {{3, 3, 2, 2, 0, 0}, {4, 4, 2, 2, 1, 1}, {5, 5, 2, 2, 1, 1}, {5, 3, 3, 2, 1, 0}};

TEST(Phases, AreTakenInTheOrderOfTheInstructions) {
  for (const auto& kernel : kernels) {
    for (const auto& order : {PhaseOrder::by_first_tap(kernel), PhaseOrder::by_output(kernel)}) {
      const auto found = order_of_phases(stream_of(kernel, order), machine(), weights, kernel);
      EXPECT_EQ(stored_taps(kernel, found), stored_taps(kernel, order)) << kernel.kernel_h << " by " << kernel.stride_h;
    }
  }
}

TEST(Phases, OfOneSizeAreOrderedByTheirFirstTap) {
  const TransposedKernel kernel{4, 4, 2, 2, 0, 0};
  const auto found = order_of_phases(stream_of(kernel, PhaseOrder::by_output(kernel)), machine(), weights, kernel);
  EXPECT_EQ(stored_taps(kernel, found), stored_taps(kernel, PhaseOrder::by_first_tap(kernel)));
}

TEST(Phases, AreOrderedByTheirFirstTapWhereNoInstructionReadsTheWeights) {
  const auto& kernel = kernels[0];
  const StoredWeights elsewhere{"up", 0, 1 << 20, depth, false};
  const auto found = order_of_phases(stream_of(kernel, PhaseOrder::by_output(kernel)), machine(), elsewhere, kernel);
  EXPECT_EQ(found.rows, PhaseOrder::by_first_tap(kernel).rows);
}

TEST(Phases, ThatTheKernelDoesNotHaveAreRefused) {
  const auto& kernel = kernels[0];
  auto stream = stream_of(kernel, PhaseOrder::by_first_tap(kernel));
  stream[1] = make("CONVINIT", {{FieldId::kernel_h, 3}, {FieldId::kernel_w, 3}, {FieldId::jump_write, 4}});
  try {
    order_of_phases(stream, machine(), weights, kernel);
    FAIL();
  } catch (const ModelError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("'up' of kernel 3x3 and stride 2x2"), std::string::npos) << message;
  }
}

TEST(Phases, WhosePixelsLieInAnotherWayAreKnownByTheirSizes) {
  const auto& kernel = kernels[2];
  auto stream = stream_of(kernel, PhaseOrder::by_output(kernel));
  for (auto& instruction : stream) {
    if (!instruction.has(FieldId::out)) continue;
    auto& out = instruction.values[static_cast<std::size_t>(isa::place_of(*instruction.format, FieldId::out))];
    out = (7 * out + 5) % isa::bank_rows;
  }
  const auto found = order_of_phases(stream, machine(), weights, kernel);
  EXPECT_EQ(stored_taps(kernel, found), stored_taps(kernel, PhaseOrder::by_output(kernel)));
}

}  // namespace
}  // namespace nerone::compiled
