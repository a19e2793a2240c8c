#include <nerone/error.hpp>

#include "isa/stream.hpp"

namespace nerone::isa {

namespace {

std::uint32_t bits_of(const Field& field, std::uint32_t value, const Stream& stream, std::size_t index) {
  if (value < field.smallest() || value > field.largest()) {
    throw ModelError(title_of(stream, index) + ": " + name_of(field.id) + " is " + std::to_string(value) +
                     ", expected " + std::to_string(field.smallest()) + " to " + std::to_string(field.largest()));
  }
  return (value - field.smallest()) << field.low;
}

}  // namespace

std::vector<std::uint8_t> encode(const Stream& stream) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(stream.size() * 20);
  for (std::size_t index = 0; index < stream.size(); ++index) {
    const auto& instruction = stream[index];
    const auto& format = *instruction.format;
    if (instruction.dpdon > 15 || instruction.dpdby > 15) {
      throw ModelError(title_of(stream, index) + ": dpdon or dpdby is above 15");
    }
    std::uint32_t words[max_words] = {static_cast<std::uint32_t>(format.opcode) << 28 |
                                      static_cast<std::uint32_t>(instruction.dpdon) << 24 |
                                      static_cast<std::uint32_t>(instruction.dpdby) << 20};
    for (int i = 0; i < format.count; ++i) {
      words[format.fields[i].word] |= bits_of(format.fields[i], instruction.values[i], stream, index);
    }
    for (int i = 0; i < format.words; ++i) {
      for (int byte = 0; byte < 4; ++byte) bytes.push_back(static_cast<std::uint8_t>(words[i] >> (8 * byte)));
    }
  }
  return bytes;
}

}  // namespace nerone::isa
