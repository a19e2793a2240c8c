#include <nerone/error.hpp>

#include "isa/stream.hpp"

namespace nerone::isa {

namespace {

constexpr std::size_t word_bytes = 4;

std::uint32_t word_at(const std::uint8_t* bytes) {
  return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | static_cast<std::uint32_t>(bytes[3]) << 24;
}

std::string place(std::size_t index, std::size_t offset) {
  return "instruction " + std::to_string(index) + " at byte " + std::to_string(offset) + " ";
}

// Leaves the bits that no field has.
void take_fields(const Format& format, std::uint32_t* words, Instruction& instruction) {
  for (int i = 0; i < format.count; ++i) {
    const auto& field = format.fields[i];
    auto& word = words[field.word];
    instruction.values[i] = ((word >> field.low) & field.mask()) + field.smallest();
    word &= ~(field.mask() << field.low);
  }
}

const Format& format_at(const std::uint8_t* bytes, std::size_t left, int version, const std::string& where) {
  if (left < word_bytes) throw ModelError(where + "is missing: the stream ends before an END");
  const auto opcode = word_at(bytes) >> 28;
  const auto* format = format_of(version, opcode);
  if (format == nullptr) {
    throw ModelError(where + "has opcode " + std::to_string(opcode) + ", which version " + std::to_string(version) +
                     " of the instruction set does not have; the stream is damaged");
  }
  if (left < format->words * word_bytes) {
    throw ModelError(where + "(" + format->name + ") is cut off: it needs " +
                     std::to_string(format->words * word_bytes) + " bytes, the stream has " + std::to_string(left) +
                     " left");
  }
  return *format;
}

Instruction instruction_at(const std::uint8_t* bytes, const Format& format, const std::string& where) {
  std::uint32_t words[max_words] = {};
  for (int i = 0; i < format.words; ++i) words[i] = word_at(bytes + i * word_bytes);
  Instruction instruction;
  instruction.format = &format;
  instruction.dpdon = (words[0] >> 24) & 0xf;
  instruction.dpdby = (words[0] >> 20) & 0xf;
  words[0] &= 0xfffff;
  take_fields(format, words, instruction);
  for (int i = 0; i < format.words; ++i) {
    if (words[i] == 0) continue;
    throw ModelError(where + "(" + format.name + ") has bits set in word " + std::to_string(i) +
                     " that no field has; the stream is damaged, or for another DPU");
  }
  return instruction;
}

}  // namespace

std::string title_of(const Stream& stream, std::size_t index) {
  return "instruction " + std::to_string(index) + " (" + stream[index].format->name + ")";
}

Stream decode(const void* code, std::size_t size_bytes, int version, bool several) {
  if (version < 0 || version >= version_count) {
    throw ModelError("version " + std::to_string(version) +
                     " of the instruction set is not known, expected 0 or 1; the file is for another DPU");
  }
  const auto* bytes = static_cast<const std::uint8_t*>(code);
  Stream stream;
  stream.reserve(size_bytes / 16);
  std::size_t at = 0;
  while (stream.empty() || stream.back().format->opcode != Opcode::end || (several && at < size_bytes)) {
    const auto where = place(stream.size(), at);
    const auto& format = format_at(bytes + at, size_bytes - at, version, where);
    stream.push_back(instruction_at(bytes + at, format, where));
    stream.back().offset = static_cast<std::uint32_t>(at);
    at += format.words * word_bytes;
  }
  if (at == size_bytes) return stream;
  throw ModelError("instruction " + std::to_string(stream.size() - 1) + " is END, but " +
                   std::to_string(size_bytes - at) + " bytes follow it; the stream is damaged");
}

}  // namespace nerone::isa
