#include "isa/resolve.hpp"

#include <algorithm>
#include <nerone/error.hpp>

namespace nerone::isa {

namespace {

using F = FieldId;

int value(const Instruction& instruction, FieldId field) { return static_cast<int>(instruction[field]); }

int value_or(const Instruction& instruction, FieldId field, int fallback) {
  return instruction.has(field) ? value(instruction, field) : fallback;
}

// Where a field may stand in the instruction or in its INIT.
int either(const Instruction& instruction, const Instruction& init, FieldId field) {
  return instruction.has(field) ? value(instruction, field) : value(init, field);
}

const Instruction& in_force(const std::optional<Instruction>& init, const char* name) {
  if (!init) throw ModelError(std::string("no ") + name + " stands before it");
  return *init;
}

void expect_zero(const Instruction& instruction, std::initializer_list<FieldId> fields) {
  for (const auto field : fields) {
    if (value_or(instruction, field, 0) != 0) {
      throw ModelError(std::string(name_of(field)) + " is " + std::to_string(instruction[field]) +
                       ", whose effect is not known; only 0 can be executed");
    }
  }
}

Scale scale_of(int shift, int bias_shift, int act) {
  if (act != 0 && act != 1 && act != 3 && act != 4) {
    throw ModelError("act is " + std::to_string(act) + ", expected 0 (none), 1 (relu), 3 (leaky) or 4 (relu6)");
  }
  if (bias_shift > 31) throw ModelError("shift_bias is " + std::to_string(bias_shift) + ", expected at most 31");
  return {shift, bias_shift, static_cast<Act>(act)};
}

// From 8 on a field of the pools counts shifts to the right.
int left_of(int shift_cut) { return shift_cut >= 8 ? 8 - shift_cut : shift_cut; }

double average_factor(int kernel_h, int kernel_w) {
  if (kernel_h == kernel_w) {
    if (kernel_h == 3) return 28.0 / 256;
    if (kernel_h == 5) return 10.0 / 256;
    if (kernel_h == 6) return 7.0 / 256;
    if (kernel_h == 7) return 21.0 / 1024;
  }
  return 1.0 / (kernel_h * kernel_w);
}

}  // namespace

Operation Resolver::next(const Instruction& instruction) {
  switch (instruction.format->opcode) {
    case Opcode::load:
      return transfer(instruction, true);
    case Opcode::save:
      return transfer(instruction, false);
    case Opcode::conv:
      return convolution(instruction);
    case Opcode::dptwise:
      return depthwise(instruction);
    case Opcode::pool:
      return pooling(instruction);
    case Opcode::alu:
      return alu(instruction);
    case Opcode::elew:
      return elementwise(instruction);
    case Opcode::conv_init:
      conv_init_ = instruction;
      break;
    case Opcode::dw_init:
      dw_init_ = instruction;
      break;
    case Opcode::pool_init:
      pool_init_ = instruction;
      break;
    case Opcode::alu_init:
      alu_init_ = instruction;
      break;
    case Opcode::elew_init:
      elew_inits_.push_back(instruction);
      break;
    case Opcode::end:
      break;
  }
  return {};
}

Transfer Resolver::transfer(const Instruction& in, bool is_load) const {
  expect_zero(in, {F::mode_avg, F::broadcast, F::constant, F::const_en, F::argmax});
  Transfer out;
  out.is_load = is_load;
  out.bank = value(in, F::bank);
  out.row = value(in, F::addr);
  out.pieces = value(in, F::length);
  out.piece_bytes = value(in, F::channel);
  out.row_step = value(in, is_load ? F::jump_write : F::jump_read);
  out.byte_step = value(in, is_load ? F::jump_read : F::jump_write);
  out.reg = value(in, F::reg);
  out.address = value(in, F::ddr);
  if (out.bank >= machine_.bank_count()) {
    throw ModelError("bank " + std::to_string(out.bank) + " of a " + machine_.size + ", which has " +
                     std::to_string(machine_.bank_count()));
  }
  if (out.piece_bytes > bank_rows * machine_.channels) {
    throw ModelError("channel is " + std::to_string(out.piece_bytes) + ", more than a bank holds");
  }
  if (!is_load) return out;
  out.is_masked = out.piece_bytes >= out.byte_step && out.piece_bytes <= 64;
  out.mask_start = value(in, F::pad_start);
  out.mask_end = value(in, F::pad_end);
  out.masked_last = value(in, F::pad_idx);
  return out;
}

void Resolver::check_lines(int lines) const {
  if (lines <= machine_.pixels) return;
  throw ModelError("it has " + std::to_string(lines) + " lines, a " + machine_.size + " takes " +
                   std::to_string(machine_.pixels));
}

Window Resolver::window(const Instruction& in, const Instruction& init, int lines, int columns, int groups) const {
  Window out;
  out.kernel_h = value(init, F::kernel_h);
  out.kernel_w = value(init, F::kernel_w);
  out.stride_h = value(init, F::stride_h);
  out.stride_w = value(init, F::stride_w);
  out.lines = (lines - 1) * out.stride_h + out.kernel_h;
  out.columns = (columns - 1) * out.stride_w + out.kernel_w;
  out.first_line = value(in, F::pad_t);
  out.last_line = std::min(out.lines - out.kernel_h + value(in, F::pad_b), out.lines - 1);
  out.first_column = value(in, F::pad_l);
  out.last_column = std::min(out.columns - out.kernel_w + value(in, F::pad_r), out.columns - 1);
  out.groups = groups;
  out.unread_channels = in.has(F::ch_off) || init.has(F::ch_off) ? either(in, init, F::ch_off) : 0;
  out.bank = value(in, F::bank_in);
  out.line_offset = value(init, F::stride_offset_in);
  out.starts = {value(in, F::in0), value(in, F::in1), value(in, F::in2), value(in, F::in3)};
  out.line_step = either(in, init, F::jump_read_endl);
  out.column_step = value(init, F::jump_read);
  check(out);
  return out;
}

Tile Resolver::tile(const Instruction& in, const Instruction& init, int lines, int columns, int groups) const {
  Tile out;
  out.lines = lines;
  out.columns = columns;
  out.groups = groups;
  out.bank = value(in, F::bank_out);
  out.start = value(in, F::out);
  out.line_offset = value(init, F::stride_offset_out);
  out.lines_per_bank = value(init, F::stride_out);
  out.line_step = either(in, init, F::jump_write_endl);
  out.column_step = value(init, F::jump_write);
  check(out);
  return out;
}

void Resolver::check(const Window& window) const {
  if (window.bank >= machine_.image_banks()) {
    throw ModelError("it reads bank " + std::to_string(window.bank) + ", a " + machine_.size + " has " +
                     std::to_string(machine_.image_banks()) + " banks for images");
  }
  if (window.unread_channels > machine_.channels) {
    throw ModelError("ch_off is " + std::to_string(window.unread_channels) + ", a group has " +
                     std::to_string(machine_.channels) + " channels");
  }
  const auto place = window.bank % machine_.pixels + (window.line_offset + window.last_line) / window.stride_h;
  if (place / machine_.pixels >= static_cast<int>(window.starts.size())) {
    throw ModelError("its window of " + std::to_string(window.lines) + " lines goes more than four times round a " +
                     "group of banks");
  }
  const auto columns = window.last_column - window.first_column;
  if (columns > 0 && std::int64_t{columns} * window.column_step + window.groups > bank_rows) {
    throw ModelError("a line of its window takes " + std::to_string(columns * window.column_step + window.groups) +
                     " rows, a bank has " + std::to_string(bank_rows));
  }
}

void Resolver::check(const Tile& tile) const {
  if (tile.bank >= machine_.image_banks()) {
    throw ModelError("it writes bank " + std::to_string(tile.bank) + ", a " + machine_.size + " has " +
                     std::to_string(machine_.image_banks()) + " banks for images");
  }
  check_lines(tile.lines);
}

Convolution Resolver::convolution(const Instruction& conv) const {
  const auto& init = in_force(conv_init_, "CONVINIT");
  const auto lines = value(init, F::vpp), columns = value(conv, F::length);
  Convolution out;
  out.window = window(conv, init, lines, columns, value(conv, F::cg));
  out.tile = tile(conv, init, lines, columns, 1);
  out.weight_row = value(conv, F::waddr);
  out.bias_row = value(conv, F::baddr);
  out.scale = scale_of(value(init, F::shift_cut), value(init, F::shift_bias), value(init, F::act));
  return out;
}

Depthwise Resolver::depthwise(const Instruction& dptwise) const {
  const auto& init = in_force(dw_init_, "DWINIT");
  const auto lines = value(init, F::vpp), columns = value(dptwise, F::length), groups = value(dptwise, F::cg);
  Depthwise out;
  out.window = window(dptwise, init, lines, columns, groups);
  out.tile = tile(dptwise, init, lines, columns, groups);
  out.weight_row = value(dptwise, F::waddr);
  out.tap_rows = groups;
  out.bias_row = value(dptwise, F::baddr);
  out.scale = scale_of(value(init, F::shift_cut), value(init, F::shift_bias), value(dptwise, F::act));
  return out;
}

Pooling Resolver::pooling(const Instruction& pool) const {
  auto init = in_force(pool_init_, "POOLINIT");
  auto in = pool;
  const auto type = value(init, F::type);
  if (type == 2) {
    // Large kernels: kernel and stride stand in the instruction, and there is no padding.
    const auto set = [](Instruction& instruction, FieldId field, int number) {
      instruction.values[place_of(*instruction.format, field)] = static_cast<std::uint32_t>(number);
    };
    for (const auto field : {F::kernel_h, F::stride_h}) set(init, field, value(pool, F::ds_kh));
    for (const auto field : {F::kernel_w, F::stride_w}) set(init, field, value(pool, F::ds_kw));
    for (const auto field : {F::pad_t, F::pad_l}) set(in, field, 0);
    set(in, F::pad_b, value(pool, F::ds_kh) - 1);
    set(in, F::pad_r, value(pool, F::ds_kw) - 1);
  } else if (type > 2) {
    throw ModelError("type is " + std::to_string(type) + ", expected 0 to 2");
  }
  const auto lines = value(init, F::vpp), columns = value(pool, F::length), groups = value(pool, F::cg);
  Pooling out;
  out.window = window(in, init, lines, columns, groups);
  out.tile = tile(pool, init, lines, columns, groups);
  out.is_max = type != 1;
  if (!out.is_max) out.factor = average_factor(out.window.kernel_h, out.window.kernel_w);
  out.left = left_of(value(init, F::shift_cut));
  return out;
}

Operation Resolver::alu(const Instruction& alu) const {
  const auto& init = in_force(alu_init_, "ALUINIT");
  const auto mode = value(init, F::mode);
  const auto lines = value(alu, F::vpp), columns = value(init, F::length), groups = value(init, F::cg);
  const auto reads = window(alu, init, lines, columns, groups);
  const auto writes = tile(alu, init, lines, columns, groups);
  const auto shift_cut = value(init, F::shift_cut), shift_bias = value(init, F::shift_bias);
  if (value(alu, F::kernel_d) != 1) {
    throw ModelError("kernel_d is " + std::to_string(value(alu, F::kernel_d)) + ", only 1 can be executed");
  }
  if (mode == 0 || mode == 6) {
    return Depthwise{reads,
                     writes,
                     value(alu, F::waddr),
                     value(init, F::jump_read_w),
                     value(alu, F::baddr),
                     mode == 0,
                     scale_of(shift_cut, shift_bias, value(init, F::act))};
  }
  if (mode == 2) {
    const auto multi = static_cast<std::int8_t>(value(init, F::multi));
    return Pooling{reads, writes, false, static_cast<double>(multi), left_of(shift_cut)};
  }
  if (mode == 3) return Pooling{reads, writes, true, 1.0, left_of(shift_cut)};
  if (mode == 7) {
    if (reads.kernel_h != 1 || reads.kernel_w != 1) throw ModelError("a hard sigmoid with a kernel larger than 1");
    return HardSigmoid{reads, writes, shift_bias, shift_cut};
  }
  throw ModelError("mode is " + std::to_string(mode) +
                   ", expected 0 or 6 (depthwise), 2 (average), 3 (max) or 7 (hard sigmoid)");
}

Elementwise Resolver::elementwise(const Instruction& elew) {
  const auto count = value(elew, F::num);
  if (static_cast<int>(elew_inits_.size()) != count) {
    throw ModelError("it has " + std::to_string(count) + " inputs, " + std::to_string(elew_inits_.size()) +
                     " ELEWINIT stand before it");
  }
  Elementwise out;
  for (const auto& init : elew_inits_) {
    expect_zero(init, {F::share_pp});
    if (value(init, F::bank_in) >= machine_.image_banks()) {
      throw ModelError("it reads bank " + std::to_string(value(init, F::bank_in)) + ", which is none for images");
    }
    out.inputs.push_back({value(init, F::bank_in), value(init, F::in), value_or(init, F::jump_bank, 1),
                          value(init, F::jump_read_endl), value(init, F::jump_read), value(init, F::shift_read)});
  }
  elew_inits_.clear();
  out.tile.lines = value(elew, F::vpp);
  out.tile.columns = value(elew, F::length);
  out.tile.groups = value(elew, F::cg);
  out.tile.bank = value(elew, F::bank_out);
  out.tile.start = value(elew, F::out);
  out.tile.line_step = value(elew, F::jump_write_endl);
  out.tile.column_step = value(elew, F::jump_write);
  check(out.tile);
  out.adds = value(elew, F::type) == 0;
  out.has_relu = value(elew, F::act) != 0;
  const auto shift = value(elew, F::shift_write), turn = machine_.version == 0 ? 8 : 16;
  out.left = shift >= turn ? turn - shift : shift;
  return out;
}

}  // namespace nerone::isa
