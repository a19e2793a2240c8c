// Instruction streams: the first byte chooses the machine, the rest is code.

#include <cstdlib>
#include <map>
#include <nerone/error.hpp>

#include "isa/core.hpp"
#include "isa/order.hpp"
#include "isa/sources.hpp"
#include "mutations.hpp"
#include "random_streams.hpp"

namespace nerone::fuzz {

namespace {

using namespace isa;

using isa::testing::any;
using isa::testing::any_value;
using isa::testing::fingerprints;
using isa::testing::is_short;
using isa::testing::Registers;

Machine machine_of_byte(unsigned char byte) { return machine_of(fingerprints[byte % std::size(fingerprints)]); }

const Format& any_format(int version, Random& random) {
  while (true) {
    const auto formats = all_formats();
    const auto& format = *(formats.begin() + below(static_cast<std::size_t>(formats.end() - formats.begin()), random));
    if (format.versions[version] && format.opcode != Opcode::end) return format;
  }
}

std::string input_of(char machine, const Stream& stream) {
  const auto bytes = encode(stream);
  return machine + std::string(bytes.begin(), bytes.end());
}

void change(Stream& stream, int version, Random& random) {
  const auto at = below(stream.size() - 1, random);  // END stays
  const auto place = stream.begin() + static_cast<std::ptrdiff_t>(at);
  auto& instruction = *place;
  switch (below(6, random)) {
    case 0:
      stream.insert(place, any(any_format(version, random), random));
      break;
    case 1:
      if (stream.size() > 1) stream.erase(place);
      break;
    case 2:
      std::swap(instruction, stream[below(stream.size() - 1, random)]);
      break;
    default:
      if (const auto count = static_cast<std::size_t>(instruction.format->count); count != 0) {
        const auto field = below(count, random);
        instruction.values[field] = any_value(instruction.format->fields[field], random);
      }
  }
}

void run(const Program& program, char machine) {
  static Registers registers;
  static std::map<char, Core> cores;
  check_registers(program, registers.sizes);
  if (program.stream.size() % 4 == 0) {  // these take tables of all rows
    check_order(program);
    sources_of(program);
  }
  if (is_short(program)) cores.try_emplace(machine, program.machine).first->second.run(program, registers.addresses);
}

}  // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> inputs;
  for (std::size_t machine = 0; machine < std::size(fingerprints); ++machine) {
    const auto described = machine_of(fingerprints[machine]);
    const auto byte = static_cast<char>(machine);
    const Instruction end = [&] {
      Random random(1);
      return any(*format_of(described.version, "END"), random);
    }();
    inputs.push_back(input_of(byte, {end}));
    // Streams that can run, grown by what fits.
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      Random random(seed);
      Stream stream;
      const Registers registers;
      for (int tries = 0; tries < 400 && stream.size() < 16; ++tries) {
        stream.push_back(any(any_format(described.version, random), random));
        try {
          const auto program = make_program(described, stream);
          check_registers(program, registers.sizes);
          if (!is_short(program)) stream.pop_back();
        } catch (const ModelError&) {
          stream.pop_back();
        }
      }
      stream.push_back(end);
      inputs.push_back(input_of(byte, stream));
    }
  }
  return inputs;
}

std::string mutated(const std::string& input, const std::string& other, Random& random) {
  if (input.size() > 1 && below(4, random) != 0) {
    const auto version = machine_of_byte(static_cast<unsigned char>(input[0])).version;
    try {
      auto stream = decode(input.data() + 1, input.size() - 1, version);
      for (auto left = 1 + below(3, random); left > 0; --left) change(stream, version, random);
      return input_of(input[0], stream);
    } catch (const ModelError&) {
    }
  }
  return damaged(input, other, random);
}

bool enter(const std::string& input) {
  if (input.empty()) return false;
  const auto machine = machine_of_byte(static_cast<unsigned char>(input[0]));
  try {
    auto stream = decode(input.data() + 1, input.size() - 1, machine.version);
    const auto encoded = encode(stream);
    if (!std::equal(encoded.begin(), encoded.end(), input.begin() + 1, input.end(),
                    [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); })) {
      std::abort();
    }
    const auto program = make_program(machine, std::move(stream));
    run(program, static_cast<char>(static_cast<unsigned char>(input[0]) % std::size(fingerprints)));
    return true;
  } catch (const ModelError& error) {
    check_message(error.what());
    return false;
  }
}

}  // namespace nerone::fuzz
