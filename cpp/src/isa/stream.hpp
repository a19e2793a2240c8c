#pragma once

// Between the bytes of mc_code and instructions in plain values.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "isa/formats.hpp"

namespace nerone::isa {

struct Instruction {
  const Format* format = nullptr;
  std::uint8_t dpdon = 0;                          // bits of the units that it waits for
  std::uint8_t dpdby = 0;                          // bits of the units that it gives a token to
  std::uint32_t offset = 0;                        // of its first byte in the stream
  std::array<std::uint32_t, max_fields> values{};  // in the order of the format's fields

  bool has(FieldId field) const { return place_of(*format, field) >= 0; }
  // The field must be one of the format's.
  std::uint32_t operator[](FieldId field) const { return values[place_of(*format, field)]; }
};

using Stream = std::vector<Instruction>;

// All instructions, END included. ModelError names the first instruction that is none, or that is cut off; unknown
// bits must be zero, and nothing may follow END but, where there are `several`, the next stream. A decoded stream
// encodes to the same bytes.
Stream decode(const void* code, std::size_t size_bytes, int version, bool several = false);

// ModelError names the first instruction with a field out of its range.
std::vector<std::uint8_t> encode(const Stream& stream);

// "instruction 17 (CONV)", for messages.
std::string title_of(const Stream& stream, std::size_t index);

}  // namespace nerone::isa
