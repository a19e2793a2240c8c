#include "isa/formats.hpp"

#include <array>
#include <iterator>

namespace nerone::isa {

namespace {

using F = FieldId;

// {field, word, high bit, low bit, stored less one}; bits that no field has are zero.
// clang-format off
constexpr Field pool_init_fields[] = {
    {F::jump_read, 0, 9, 0, true}, {F::kernel_h, 0, 12, 10, true}, {F::kernel_w, 0, 15, 13, true},
    {F::shift_cut, 0, 19, 16, false},
    {F::type, 1, 1, 0, false}, {F::stride_h, 1, 4, 2, true}, {F::stride_w, 1, 7, 5, true},
    {F::stride_offset_in, 1, 10, 8, false}, {F::vpp, 1, 13, 11, true}, {F::stride_offset_out, 1, 16, 14, false},
    {F::stride_out, 1, 20, 17, true}, {F::jump_write, 1, 30, 21, true},
};
constexpr Field conv_fields[] = {
    {F::in0, 0, 11, 0, false}, {F::pad_t, 0, 15, 12, false}, {F::pad_l, 0, 19, 16, false},
    {F::out, 1, 11, 0, false}, {F::pad_b, 1, 15, 12, false}, {F::pad_r, 1, 19, 16, false}, {F::cg, 1, 31, 24, true},
    {F::waddr, 2, 11, 0, false}, {F::bank_in, 2, 17, 12, false}, {F::length, 2, 31, 22, true},
    {F::baddr, 3, 11, 0, false}, {F::bank_out, 3, 17, 12, false}, {F::in1, 3, 29, 18, false},
    {F::in2, 4, 11, 0, false}, {F::in3, 4, 23, 12, false}, {F::ch_off, 4, 28, 24, false},
};
constexpr Field conv_init_fields[] = {
    {F::jump_read, 0, 9, 0, true}, {F::shift_cut, 0, 15, 10, false}, {F::act, 0, 19, 16, false},
    {F::jump_read_endl, 1, 9, 0, true}, {F::shift_bias, 1, 15, 10, false}, {F::stride_out, 1, 31, 28, true},
    {F::jump_write, 2, 9, 0, true}, {F::stride_offset_in, 2, 12, 10, false}, {F::vpp, 2, 15, 13, true},
    {F::kernel_h, 2, 27, 24, true}, {F::stride_h, 2, 31, 28, true},
    {F::jump_write_endl, 3, 9, 0, true}, {F::stride_offset_out, 3, 12, 10, false}, {F::kernel_w, 3, 27, 24, true},
    {F::stride_w, 3, 31, 28, true},
};
constexpr Field dptwise_fields[] = {
    {F::in0, 0, 11, 0, false}, {F::cg, 0, 19, 12, true},
    {F::out, 1, 11, 0, false}, {F::pad_b, 1, 19, 16, false}, {F::pad_t, 1, 23, 20, false}, {F::pad_r, 1, 27, 24, false},
    {F::pad_l, 1, 31, 28, false},
    {F::waddr, 2, 11, 0, false}, {F::bank_in, 2, 17, 12, false}, {F::length, 2, 27, 18, true},
    {F::act, 2, 31, 28, false},
    {F::baddr, 3, 11, 0, false}, {F::bank_out, 3, 17, 12, false}, {F::in1, 3, 29, 18, false},
    {F::in2, 4, 11, 0, false}, {F::in3, 4, 23, 12, false}, {F::ch_off, 4, 28, 24, false},
};
constexpr Field dw_init_fields[] = {
    {F::jump_read_endl, 0, 9, 0, true}, {F::jump_read, 0, 19, 10, true},
    {F::jump_write_endl, 1, 9, 0, true}, {F::kernel_h, 1, 13, 10, true}, {F::kernel_w, 1, 17, 14, true},
    {F::stride_h, 1, 21, 18, true}, {F::stride_w, 1, 25, 22, true}, {F::vpp, 1, 28, 26, true},
    {F::stride_offset_in, 1, 31, 29, false},
    {F::shift_cut, 2, 5, 0, false}, {F::shift_bias, 2, 11, 6, false}, {F::stride_offset_out, 2, 14, 12, false},
    {F::stride_out, 2, 18, 15, true}, {F::jump_write, 2, 28, 19, true},
};
constexpr Field pool_fields[] = {
    {F::in0, 0, 11, 0, false}, {F::cg, 0, 19, 12, true},
    {F::bank_in, 1, 5, 0, false}, {F::pad_b, 1, 8, 6, false}, {F::pad_r, 1, 11, 9, false}, {F::pad_t, 1, 14, 12, false},
    {F::pad_l, 1, 17, 15, false}, {F::jump_write_endl, 1, 29, 18, true},
    {F::bank_out, 2, 5, 0, false}, {F::length, 2, 15, 6, true}, {F::jump_read_endl, 2, 27, 16, true},
    {F::out, 3, 11, 0, false}, {F::in1, 3, 23, 12, false}, {F::ds_kw, 3, 31, 24, true},
    {F::in2, 4, 11, 0, false}, {F::in3, 4, 23, 12, false}, {F::ds_kh, 4, 31, 24, true},
};
constexpr Field elew_init_fields1[] = {
    {F::share_pp, 0, 13, 13, false}, {F::bank_in, 0, 19, 14, false},
    {F::in, 1, 13, 0, false}, {F::jump_read_endl, 1, 26, 14, true}, {F::id, 1, 28, 27, false},
    {F::jump_bank, 1, 31, 29, true},
    {F::jump_read, 2, 11, 0, false}, {F::shift_read, 2, 15, 12, false},
};
constexpr Field elew_fields1[] = {
    {F::length, 0, 10, 0, true}, {F::act, 0, 11, 11, false}, {F::type, 0, 13, 12, false},
    {F::bank_out, 0, 19, 14, false},
    {F::out, 1, 13, 0, false}, {F::jump_write_endl, 1, 26, 14, true}, {F::num, 1, 28, 27, true},
    {F::vpp, 1, 31, 29, true},
    {F::jump_write, 2, 11, 0, true}, {F::shift_write, 2, 16, 12, false}, {F::cg, 2, 24, 17, true},
};
constexpr Field load_fields1[] = {
    {F::addr, 0, 11, 0, false}, {F::bank, 0, 19, 14, false},
    {F::jump_write, 1, 9, 0, true}, {F::jump_read, 1, 25, 10, true},
    {F::length, 2, 9, 0, true}, {F::channel, 2, 23, 10, true}, {F::pad_idx, 2, 31, 27, true},
    {F::reg, 3, 2, 0, false}, {F::constant, 3, 15, 8, false}, {F::broadcast, 3, 19, 16, false},
    {F::mode_avg, 3, 21, 20, false}, {F::pad_end, 3, 26, 22, false}, {F::pad_start, 3, 31, 27, false},
    {F::ddr, 4, 28, 0, false},
};
constexpr Field alu_init_fields1[] = {
    {F::kernel_w, 0, 7, 0, true}, {F::kernel_h, 0, 15, 8, true}, {F::mode, 0, 19, 16, false},
    {F::stride_offset_out, 1, 7, 0, false}, {F::stride_offset_in, 1, 15, 8, false}, {F::stride_w, 1, 23, 16, true},
    {F::stride_h, 1, 31, 24, true},
    {F::length, 2, 10, 0, true}, {F::ch_off, 2, 15, 11, false}, {F::cg, 2, 23, 16, true},
    {F::stride_out, 2, 31, 24, true},
    {F::shift_prelu_n, 3, 5, 0, false}, {F::shift_cut, 3, 11, 6, false}, {F::shift_bias, 3, 17, 12, false},
    {F::act, 3, 21, 18, false}, {F::shift_prelu_p, 3, 27, 22, false},
    {F::jump_read_endl, 4, 12, 0, true}, {F::jump_read, 4, 22, 13, true}, {F::multi, 4, 30, 23, false},
    {F::jump_write_endl, 5, 12, 0, true}, {F::jump_write, 5, 22, 13, true}, {F::jump_read_w, 5, 31, 23, false},
};
constexpr Field alu_fields1[] = {
    {F::out, 0, 13, 0, false}, {F::bank_out, 0, 19, 14, false},
    {F::in0, 1, 13, 0, false}, {F::bank_in, 1, 19, 14, false}, {F::vpp, 1, 22, 20, true}, {F::pad_b, 1, 30, 23, false},
    {F::in1, 2, 13, 0, false}, {F::pad_r, 2, 21, 14, false}, {F::pad_l, 2, 25, 22, false}, {F::pad_t, 2, 29, 26, false},
    {F::in2, 3, 13, 0, false}, {F::waddr, 3, 27, 14, false}, {F::kernel_d, 3, 31, 28, true},
    {F::in3, 4, 13, 0, false}, {F::baddr, 4, 27, 14, false},
};
constexpr Field save_fields1[] = {
    {F::addr, 0, 11, 0, false}, {F::bank, 0, 19, 14, false},
    {F::jump_read, 1, 9, 0, true}, {F::jump_write, 1, 25, 10, true}, {F::argmax, 1, 28, 27, false},
    {F::hp, 1, 30, 29, false},
    {F::length, 2, 9, 0, true}, {F::channel, 2, 21, 10, true},
    {F::reg, 3, 2, 0, false}, {F::constant, 3, 15, 8, false}, {F::const_en, 3, 16, 16, false},
    {F::ddr, 4, 28, 0, false},
};
constexpr Field load_fields0[] = {
    {F::addr, 0, 11, 0, false}, {F::bank, 0, 17, 12, false}, {F::hp, 0, 19, 18, false},
    {F::jump_read, 1, 15, 0, true}, {F::pad_idx, 1, 20, 16, true}, {F::pad_end, 1, 25, 21, false},
    {F::pad_start, 1, 30, 26, false},
    {F::channel, 2, 11, 0, true}, {F::mode_avg, 2, 13, 12, false}, {F::length, 2, 23, 14, true},
    {F::jump_write, 2, 31, 24, true},
    {F::ddr, 3, 28, 0, false}, {F::reg, 3, 31, 29, false},
};
constexpr Field save_fields0[] = {
    {F::addr, 0, 11, 0, false}, {F::bank, 0, 17, 12, false}, {F::hp, 0, 19, 18, false},
    {F::jump_write, 1, 15, 0, true},
    {F::channel, 2, 11, 0, true}, {F::length, 2, 23, 14, true}, {F::jump_read, 2, 31, 24, true},
    {F::ddr, 3, 28, 0, false}, {F::reg, 3, 31, 29, false},
};
constexpr Field elew_init_fields0[] = {
    {F::jump_read, 0, 9, 0, true}, {F::shift_read, 0, 13, 10, false}, {F::bank_in, 0, 19, 14, false},
    {F::in, 1, 11, 0, false}, {F::id, 1, 13, 12, false}, {F::jump_read_endl, 1, 25, 14, true},
};
constexpr Field elew_fields0[] = {
    {F::jump_write, 0, 9, 0, true}, {F::shift_write, 0, 13, 10, false}, {F::bank_out, 0, 19, 14, false},
    {F::out, 1, 11, 0, false}, {F::length, 1, 20, 12, true}, {F::act, 1, 21, 21, false}, {F::cg, 1, 29, 22, true},
    {F::num, 1, 31, 30, true},
    {F::jump_write_endl, 2, 11, 0, true}, {F::vpp, 2, 14, 12, true}, {F::type, 2, 16, 15, false},
};

constexpr Format formats[] = {
    {Opcode::load, Unit::load, "LOAD", 5, load_fields1, 14, {false, true}},
    {Opcode::load, Unit::load, "LOAD", 4, load_fields0, 13, {true, false}},
    {Opcode::alu_init, Unit::misc, "ALUINIT", 6, alu_init_fields1, 22, {false, true}},
    {Opcode::alu, Unit::misc, "ALU", 5, alu_fields1, 15, {false, true}},
    {Opcode::save, Unit::save, "SAVE", 5, save_fields1, 12, {false, true}},
    {Opcode::save, Unit::save, "SAVE", 4, save_fields0, 9, {true, false}},
    {Opcode::pool_init, Unit::misc, "POOLINIT", 2, pool_init_fields, 12, {true, true}},
    {Opcode::end, Unit::save, "END", 1, nullptr, 0, {true, true}},
    {Opcode::conv, Unit::conv, "CONV", 5, conv_fields, 16, {true, true}},
    {Opcode::conv_init, Unit::conv, "CONVINIT", 4, conv_init_fields, 15, {true, true}},
    {Opcode::dptwise, Unit::misc, "DPTWISE", 5, dptwise_fields, 17, {true, true}},
    {Opcode::dw_init, Unit::misc, "DWINIT", 3, dw_init_fields, 14, {true, true}},
    {Opcode::pool, Unit::misc, "POOL", 5, pool_fields, 17, {true, true}},
    {Opcode::elew_init, Unit::misc, "ELEWINIT", 3, elew_init_fields1, 8, {false, true}},
    {Opcode::elew_init, Unit::misc, "ELEWINIT", 2, elew_init_fields0, 6, {true, false}},
    {Opcode::elew, Unit::misc, "ELEW", 3, elew_fields1, 11, {false, true}},
    {Opcode::elew, Unit::misc, "ELEW", 3, elew_fields0, 11, {true, false}},
};

constexpr const char* names[] = {
    "act", "addr", "argmax", "baddr", "bank", "bank_in", "bank_out", "broadcast", "cg", "ch_off", "channel",
    "const", "const_en", "ddr", "ds_kh", "ds_kw", "hp", "id", "in", "in0", "in1", "in2", "in3", "jump_bank",
    "jump_read", "jump_read_endl", "jump_read_w", "jump_write", "jump_write_endl", "kernel_d", "kernel_h",
    "kernel_w", "length", "mode", "mode_avg", "multi", "num", "out", "pad_b", "pad_end", "pad_idx", "pad_l",
    "pad_r", "pad_start", "pad_t", "reg", "share_pp", "shift_bias", "shift_cut", "shift_prelu_n",
    "shift_prelu_p", "shift_read", "shift_write", "stride_h", "stride_offset_in", "stride_offset_out",
    "stride_out", "stride_w", "type", "vpp", "waddr",
};
// clang-format on
static_assert(std::size(names) == field_count);

using Opcodes = std::array<const Format*, 16>;

std::array<Opcodes, version_count> by_opcode() {
  std::array<Opcodes, version_count> table{};
  for (const auto& format : formats) {
    for (int version = 0; version < version_count; ++version) {
      if (format.versions[version]) table[version][static_cast<unsigned>(format.opcode)] = &format;
    }
  }
  return table;
}

using Places = std::array<std::int8_t, field_count>;

std::array<Places, std::size(formats)> places_of_all() {
  std::array<Places, std::size(formats)> table{};
  for (std::size_t i = 0; i < std::size(formats); ++i) {
    table[i].fill(-1);
    for (int place = 0; place < formats[i].count; ++place) {
      table[i][static_cast<unsigned>(formats[i].fields[place].id)] = static_cast<std::int8_t>(place);
    }
  }
  return table;
}

}  // namespace

const char* name_of(FieldId field) { return names[static_cast<unsigned>(field)]; }

Formats all_formats() { return {std::begin(formats), std::end(formats)}; }

const Format* format_of(int version, unsigned opcode) {
  static const auto table = by_opcode();
  return version < 0 || version >= version_count || opcode > 15 ? nullptr : table[version][opcode];
}

const Format* format_of(int version, const std::string& name) {
  if (version < 0 || version >= version_count) return nullptr;
  for (const auto& format : formats) {
    if (format.versions[version] && name == format.name) return &format;
  }
  return nullptr;
}

int place_of(const Format& format, FieldId field) {
  static const auto table = places_of_all();
  return table[&format - std::begin(formats)][static_cast<unsigned>(field)];
}

}  // namespace nerone::isa
