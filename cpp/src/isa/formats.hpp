#pragma once

// The words of the DPU's instructions: one table of fields drives the decoder, the encoder and the documentation.
// Source: the instruction parser of Vitis AI's vaitrace (Apache-2.0), see NOTICE.

#include <cstdint>
#include <string>

namespace nerone::isa {

// The first four bits of an instruction.
enum class Opcode : std::uint8_t {
  load = 0x0,
  alu_init = 0x1,
  alu = 0x2,
  save = 0x4,
  pool_init = 0x6,
  end = 0x7,
  conv = 0x8,
  conv_init = 0x9,
  dptwise = 0xa,
  dw_init = 0xb,
  pool = 0xc,
  elew_init = 0xd,
  elew = 0xe,
};

// Engines run side by side, each in the order of the stream. The values are their bits in dpdon and dpdby.
enum class Unit : std::uint8_t { load = 1, save = 2, conv = 4, misc = 8 };

// clang-format off
enum class FieldId : std::uint8_t {
  act, addr, argmax, baddr, bank, bank_in, bank_out, broadcast, cg, ch_off, channel, constant, const_en, ddr,
  ds_kh, ds_kw, hp, id, in, in0, in1, in2, in3, jump_bank, jump_read, jump_read_endl, jump_read_w, jump_write,
  jump_write_endl, kernel_d, kernel_h, kernel_w, length, mode, mode_avg, multi, num, out, pad_b, pad_end,
  pad_idx, pad_l, pad_r, pad_start, pad_t, reg, share_pp, shift_bias, shift_cut, shift_prelu_n, shift_prelu_p,
  shift_read, shift_write, stride_h, stride_offset_in, stride_offset_out, stride_out, stride_w, type, vpp,
  waddr
};
// clang-format on
constexpr int field_count = static_cast<int>(FieldId::waddr) + 1;
const char* name_of(FieldId field);

struct Field {
  FieldId id;
  std::uint8_t word, high, low;  // bits high to low of a word
  bool less_one;                 // the stored bits are the value less one

  std::uint32_t mask() const { return (high - low == 31 ? ~0U : (1U << (high - low + 1)) - 1U); }
  std::uint32_t smallest() const { return less_one ? 1 : 0; }
  std::uint32_t largest() const { return mask() + smallest(); }
};

constexpr int max_fields = 22;
constexpr int max_words = 6;

struct Format {
  Opcode opcode;
  Unit unit;
  const char* name;
  int words;
  const Field* fields;
  int count;
  bool versions[2];  // whether ISA0 and ISA1 have it

  const Field* begin() const { return fields; }
  const Field* end() const { return fields + count; }
};

constexpr int version_count = 2;

struct Formats {
  const Format* first;
  const Format* last;
  const Format* begin() const { return first; }
  const Format* end() const { return last; }
};
// Of all versions; an opcode that both versions have stands twice where its words differ.
Formats all_formats();

// Null where this version has no such instruction.
const Format* format_of(int version, unsigned opcode);
const Format* format_of(int version, const std::string& name);

// The place of a field among the format's, or -1.
int place_of(const Format& format, FieldId field);

}  // namespace nerone::isa
