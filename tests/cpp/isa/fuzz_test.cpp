// Streams of every instruction, damaged: each decodes and runs inside its registers, or is refused with its number.

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <nerone/error.hpp>
#include <random>

#include "isa/core.hpp"
#include "isa/order.hpp"

namespace nerone::isa {
namespace {

using Random = std::mt19937_64;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t fingerprints[] = {0x1000020f6014407, 0x101000016010407, 0x101000016010200};

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 0);
}

// Small values are likely, so that many streams can run.
Instruction any(const Format& format, Random& random) {
  Instruction instruction;
  instruction.format = &format;
  instruction.dpdon = random() & 15;
  instruction.dpdby = random() & 15;
  for (int i = 0; i < format.count; ++i) {
    const auto& field = format.fields[i];
    const auto limit = random() % 8 == 0 ? field.mask() : std::min<std::uint32_t>(field.mask(), random() % 8);
    instruction.values[i] = field.smallest() + random() % (std::uint64_t{limit} + 1);
  }
  return instruction;
}

Stream stream_of(int version, Random& random) {
  Stream stream;
  for (int i = 0; i < 8; ++i) {
    for (const auto& format : all_formats()) {
      if (format.versions[version] && format.opcode != Opcode::end && random() % 3 == 0) {
        stream.push_back(any(format, random));
      }
    }
  }
  stream.push_back(any(*format_of(version, "END"), random));
  return stream;
}

void damage(Bytes& bytes, Random& random) {
  for (auto count = random() % 4; count > 0 && !bytes.empty(); --count) {
    const auto at = static_cast<std::ptrdiff_t>(random() % bytes.size());
    switch (random() % 3) {
      case 0:
        bytes[static_cast<std::size_t>(at)] ^= static_cast<std::uint8_t>(1U << random() % 8);
        break;
      case 1:
        bytes.erase(bytes.begin() + at);
        break;
      default:
        bytes.resize(static_cast<std::size_t>(at));
    }
  }
}

class Registers {
 public:
  Registers() {
    for (std::size_t i = 0; i < register_count; ++i) {
      bytes_[i].resize(std::size_t{1} << 12);
      sizes[static_cast<int>(i)] = bytes_[i].size();
      addresses[i] = bytes_[i].data();
    }
  }
  std::map<int, std::size_t> sizes;
  std::array<std::uint8_t*, register_count> addresses{};

 private:
  std::array<Bytes, register_count> bytes_;
};

// A CONV with the largest kernel on a whole bank takes a second: only small ones are run here.
bool is_short(const Program& program) {
  std::int64_t work = 0;
  for (const auto& operation : program.operations) {
    if (const auto* op = std::get_if<Convolution>(&operation)) {
      work += std::int64_t{op->tile.lines} * op->window.columns * op->window.groups * op->window.kernel_h *
              op->window.kernel_w;
    } else if (const auto* pooling = std::get_if<Pooling>(&operation)) {
      work += std::int64_t{pooling->tile.lines} * pooling->tile.columns * pooling->window.groups *
              pooling->window.kernel_h * pooling->window.kernel_w;
    } else if (const auto* channelwise = std::get_if<Depthwise>(&operation)) {
      work += std::int64_t{channelwise->tile.lines} * channelwise->tile.columns * channelwise->window.groups *
              channelwise->window.kernel_h * channelwise->window.kernel_w;
    }
  }
  return work < 1 << 16;
}

TEST(Fuzz, DamagedStreamsRunOrAreRefused) {
  const auto count = number_from("NERONE_FUZZ_COUNT", 5'000), first = number_from("NERONE_FUZZ_SEED", 1);
  Registers registers;
  std::vector<Core> cores;
  for (const auto fingerprint : fingerprints) cores.emplace_back(machine_of(fingerprint));
  std::uint64_t decoded = 0, ran = 0, refused = 0;
  for (auto seed = first; seed < first + count; ++seed) {
    Random random(seed);
    const auto which = random() % std::size(fingerprints);
    const auto machine = machine_of(fingerprints[which]);
    auto bytes = encode(stream_of(machine.version, random));
    damage(bytes, random);
    try {
      auto stream = decode(bytes.data(), bytes.size(), machine.version);
      ASSERT_EQ(encode(stream), bytes) << "seed " << seed;
      ++decoded;
      // What cannot run is left out, so that the rest does.
      Stream kept;
      for (const auto& instruction : stream) {
        kept.push_back(instruction);
        try {
          check_registers(make_program(machine, kept), registers.sizes);
        } catch (const ModelError&) {
          kept.pop_back();
        }
        if (kept.size() > 24) break;
      }
      const auto program = make_program(machine, kept);
      if (!is_short(program)) continue;
      check_order(program);
      cores[which].run(program, registers.addresses);
      ++ran;
    } catch (const ModelError& error) {
      ASSERT_EQ(std::string(error.what()).rfind("instruction ", 0), 0U) << error.what() << ", seed " << seed;
      ++refused;
    }
  }
  std::cout << count << " streams from seed " << first << ": " << decoded << " decoded, " << ran << " ran, " << refused
            << " refused\n";
  EXPECT_GT(ran, 0U);
  EXPECT_GT(refused, 0U);
}

}  // namespace
}  // namespace nerone::isa
