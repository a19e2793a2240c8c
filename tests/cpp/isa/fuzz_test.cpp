// Streams of every instruction, damaged: each decodes and runs inside its registers, or is refused with its number.

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <nerone/error.hpp>
#include <random>

#include "isa/core.hpp"
#include "isa/order.hpp"
#include "random_streams.hpp"

namespace nerone::isa {
namespace {

using testing::any;
using testing::fingerprints;
using testing::Random;
using Bytes = std::vector<std::uint8_t>;

constexpr std::int64_t most_work = 1 << 16;

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 0);
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

TEST(Fuzz, DamagedStreamsRunOrAreRefused) {
  const auto count = number_from("NERONE_FUZZ_COUNT", 5'000), first = number_from("NERONE_FUZZ_SEED", 1);
  testing::Registers registers;
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
      if (!testing::is_short(program, most_work)) continue;
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
