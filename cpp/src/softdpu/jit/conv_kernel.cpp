#include <algorithm>
#include <cstddef>

#include "softdpu/jit/conv_generator.hpp"
#include "softdpu/jit/conv_ymm.hpp"
#include "softdpu/jit/conv_zmm.hpp"

namespace nerone::softdpu::jit {

using Xbyak::Label;
using Xbyak::Reg64;

namespace {

// On the stack, behind the weights.
constexpr int bias_slot = 8, half_bits_slot = 16, ends_slot = 24;

}  // namespace

ConvKernel::ConvKernel(const ConvShape& shape, const ConvTile& tile)
    : generator_(Generator::make(shape, tile)), run_(generator_->getCode<void (*)(const Call*)>()) {}

ConvKernel::~ConvKernel() = default;

const std::uint8_t* ConvKernel::code() const { return generator_->getCode(); }

std::size_t ConvKernel::code_bytes() const { return generator_->getSize(); }

int ConvKernel::tiles() const { return generator_->row_tiles(); }

void ConvKernel::operator()(const ConvArguments& arguments, const Range& tiles) const {
  if (tiles.size() <= 0) return;
  const auto first = generator_->first_row(tiles.begin);
  Call call{arguments, tiles.size(), tiles.size() > 1 && tiles.end == generator_->row_tiles() ? 1 : 0};
  call.arguments.input += first * generator_->input_row_bytes();
  call.arguments.output += first * generator_->grid_row_bytes();
  run_(&call);
}

ConvKernel::Generator::Generator(const ConvShape& shape, const ConvTile& tile)
    : CodeGenerator(4096, Xbyak::AutoGrow), shape_(shape), plan_(tile) {}

std::unique_ptr<ConvKernel::Generator> ConvKernel::Generator::make(const ConvShape& shape, const ConvTile& tile) {
  std::unique_ptr<Generator> generator;
  if (shape.isa == Isa::avx512_vnni) {
    generator = std::make_unique<ZmmGenerator>(shape, tile);
  } else {
    generator = std::make_unique<YmmGenerator>(shape, tile);
  }
  generator->emit_kernel();
  generator->readyRE();
  return generator;
}

int ConvKernel::Generator::row_tiles() const { return divide_up(shape_.grid.height, plan_.image_rows()); }

int ConvKernel::Generator::first_row(int tile) const {
  return std::min(tile * plan_.image_rows(), shape_.grid.height - plan_.image_rows());
}

std::ptrdiff_t ConvKernel::Generator::input_row_bytes() const { return shape_.grid.step_y * shape_.input.row; }

std::ptrdiff_t ConvKernel::Generator::grid_row_bytes() const {
  return shape_.output.row * (shape_.upsample ? 2 : shape_.grid.row_step);
}

int ConvKernel::Generator::pixels_at_edge(int offset) const {
  return stored_width() - (blocks_per_row() - 1) * row_lanes() * store_phases() - offset;
}

void ConvKernel::Generator::emit_kernel() {
  const Reg64 saved[] = {rbx, rbp, r12, r13, r14, r15};
  for (const auto& reg : saved) push(reg);
  load_constants();
  mov(input_row_, ptr[arguments_ + offsetof(ConvArguments, input)]);
  mov(output_row_, ptr[arguments_ + offsetof(ConvArguments, output)]);
  mov(rows_left_, ptr[arguments_ + offsetof(Call, tiles)]);
  push(qword[arguments_ + offsetof(Call, ends)]);
  const std::ptrdiff_t column_bytes = static_cast<std::ptrdiff_t>(shape_.grid.first_column) * group_channels;
  add_bytes(input_row_, column_bytes * shape_.grid.step_x);
  add_bytes(output_row_, shape_.grid.first_row * shape_.output.row + column_bytes);
  push(qword[arguments_ + offsetof(ConvArguments, half_bits)]);
  push(qword[arguments_ + offsetof(ConvArguments, bias)]);
  push(qword[arguments_ + offsetof(ConvArguments, weights)]);
  emit_rows();
  add(rsp, 4 * 8);
  for (auto reg = std::rbegin(saved); reg != std::rend(saved); ++reg) pop(*reg);
  vzeroupper();
  ret();
  emit_tables();
}

std::ptrdiff_t ConvKernel::Generator::pixel_offset(const Tap& tap, int row, int block) const {
  const auto& grid = shape_.grid;
  return (tap.row + row * plan_.fold * grid.step_y) * shape_.input.row +
         static_cast<std::ptrdiff_t>(tap.column + block * lanes_in_register() * grid.step_x) * group_channels;
}

int ConvKernel::Generator::sum_index(const Tile& tile, int phase, int channel, int row, int block) const {
  return ((phase * tile.channels + channel) * plan_.rows + row) * tile.blocks + block;
}

void ConvKernel::Generator::add_bytes(const Reg64& reg, std::ptrdiff_t bytes) {
  if (bytes != 0) add(reg, static_cast<std::uint32_t>(static_cast<std::int32_t>(bytes)));
}

void ConvKernel::Generator::repeat(int count, const Reg64& counter, const std::function<void()>& body) {
  if (count <= 0) return;
  if (count == 1) return body();
  Label again;
  mov(counter.cvt32(), count);
  align(32);
  L(again);
  body();
  dec(counter.cvt32());
  jnz(again, T_NEAR);
}

// The last tile of rows may begin inside the one before: it writes the same bytes again.
void ConvKernel::Generator::emit_rows() {
  const int overlap = row_tiles() * plan_.image_rows() - shape_.grid.height;
  if (row_tiles() == 1) return emit_channel_runs();
  Label next;
  align(32);
  L(next);
  emit_channel_runs();
  add_bytes(input_row_, plan_.image_rows() * input_row_bytes());
  add_bytes(output_row_, plan_.image_rows() * grid_row_bytes());
  if (shape_.first_sums) add(qword[rsp + bias_slot], static_cast<int>(plan_.rows * shape_.first_sums->row));
  if (overlap != 0) {
    Label regular;
    cmp(rows_left_.cvt32(), 2);
    jne(regular);
    cmp(qword[rsp + ends_slot], 0);
    je(regular);
    add_bytes(input_row_, -overlap * input_row_bytes());
    add_bytes(output_row_, -overlap * grid_row_bytes());
    if (shape_.first_sums) sub(qword[rsp + bias_slot], static_cast<int>(overlap * shape_.first_sums->row));
    L(regular);
  }
  dec(rows_left_.cvt32());
  jnz(next, T_NEAR);
}

void ConvKernel::Generator::emit_channel_runs() {
  mov(input_block_, input_row_);
  mov(output_block_, output_row_);
  mov(weights_, ptr[rsp]);
  mov(bias_, ptr[rsp + bias_slot]);
  if (shape_.requantize.needs_half_bits()) mov(half_bits_, ptr[rsp + half_bits_slot]);
  const Run runs[] = {{shape_.channels / plan_.channels, plan_.channels}, {1, shape_.channels % plan_.channels}};
  for (const auto& run : runs) {
    if (run.size == 0) continue;
    repeat(run.count, channels_left_, [&] {
      emit_channel_block(run.size);
      const int groups = divide_up(run.size, group_channels);
      add_bytes(output_block_, groups * shape_.output.group);
      if (shape_.depthwise) add_bytes(input_block_, groups * shape_.input.group);
      add_bytes(weights_, all_weight_bytes(shape_, run.size));
      const auto& sums = shape_.first_sums;
      add_bytes(bias_, sums ? groups * sums->group : static_cast<std::ptrdiff_t>(run.size) * shape_.grid.phases * 4);
      if (shape_.requantize.needs_half_bits()) add_bytes(half_bits_, static_cast<std::ptrdiff_t>(run.size) * 4);
    });
  }
}

void ConvKernel::Generator::emit_channel_block(int channels) {
  const int full = blocks_per_row() / plan_.blocks, rest = blocks_per_row() % plan_.blocks;
  const bool edge_in_full = has_edge() && rest == 0;
  mov(input_, input_block_);
  mov(output_, output_block_);
  if (shape_.first_sums) mov(sums_, sums_block_);
  const auto tiles = [&](int count, int blocks, bool at_edge) {
    repeat(count, tiles_left_, [&] {
      emit_tile({channels, blocks, at_edge});
      add_bytes(input_, blocks * register_bytes() * shape_.grid.step_x);
      add_bytes(output_, blocks * register_bytes() * store_phases());
      if (shape_.first_sums) add_bytes(sums_, blocks * register_bytes());
    });
  };
  tiles(full - (edge_in_full ? 1 : 0), plan_.blocks, false);
  if (edge_in_full) tiles(1, plan_.blocks, true);
  if (rest > 0) tiles(1, rest, has_edge());
  emit_gap(channels);
}

void ConvKernel::Generator::emit_tile(const Tile& tile) {
  if (!shape_.pair_chains.empty()) {
    emit_pairs(tile);
    return emit_stores(tile);
  }
  if (shape_.first_sums) {
    start_from_sums(tile);
  } else {
    start_from_bias(tile);
  }
  if (shape_.input_groups > 0) emit_groups(tile);
  if (shape_.stores_sums) {
    store_sums(tile);
  } else {
    emit_stores(tile);
  }
}

void ConvKernel::Generator::emit_groups(const Tile& tile) {
  mov(group_input_, input_);
  mov(group_weights_, weights_);
  const auto runs = runs_of(shape_);
  for (std::size_t i = 0; i < runs.size(); ++i) emit_run(tile, runs[i], i + 1 == runs.size());
}

void ConvKernel::Generator::emit_run(const Tile& tile, const GroupRun& run, bool is_last) {
  const int unroll = unrolled_groups(shape_, run);
  const auto chains = chains_of(shape_, run);
  prepare_run(run);
  repeat(run.groups / unroll, groups_left_, [&] {
    std::ptrdiff_t weight_offset = 0;
    for (const auto& chain : chains) {
      if (run.chains.are_used()) {
        emit_chain(tile, run.chains, chain, weight_offset);
        continue;
      }
      for (const auto& at : chain) emit_tap(tile, *at.tap, at.group * shape_.input.group, weight_offset);
    }
    if (is_last && run.groups == unroll) return;
    add_bytes(group_input_, unroll * shape_.input.group);
    add_bytes(group_weights_, weight_offset);
  });
}

void ConvKernel::Generator::emit_stores(const Tile& tile) {
  for (int row = 0; row < plan_.rows; ++row) {
    for (int block = 0; block < tile.blocks; ++block) {
      for (int channel = 0; channel < tile.channels; channel += group_channels) {
        const int count = std::min(group_channels, tile.channels - channel);
        for (int phase = 0; phase < shape_.grid.phases; ++phase) requantize(tile, phase, channel, count, row, block);
        store(tile, row, block, channel);
      }
    }
  }
}

void ConvKernel::Generator::store_sums(const Tile& tile) {
  for (int channel = 0; channel < tile.channels; ++channel) {
    for (int row = 0; row < plan_.rows; ++row) {
      for (int block = 0; block < tile.blocks; ++block) {
        const auto offset =
            row * grid_row_bytes() + channel * shape_.output.group / group_channels + block * register_bytes();
        store_sum(offset, sum_index(tile, 0, channel, row, block));
      }
    }
  }
}

void ConvKernel::Generator::emit_gap(int channels) {
  if (!shape_.grid.fills_gap) return;
  prepare_zeros();
  const std::ptrdiff_t end =
      shape_.output.group - static_cast<std::ptrdiff_t>(shape_.grid.first_column) * group_channels;
  const std::ptrdiff_t begin = static_cast<std::ptrdiff_t>(round_up(stored_width(), row_lanes())) * group_channels;
  const std::ptrdiff_t step = register_bytes() / plan_.fold;
  const int copies = shape_.upsample ? 2 : 1;
  for (int row = 0; row < plan_.image_rows(); ++row) {
    for (int copy = 0; copy < copies; ++copy) {
      for (int group = 0; group < divide_up(channels, group_channels); ++group) {
        const auto base = row * grid_row_bytes() + copy * shape_.output.row + group * shape_.output.group;
        for (auto at = begin; at < end; at += step) store_zeros(base + at);
      }
    }
  }
}

}  // namespace nerone::softdpu::jit
