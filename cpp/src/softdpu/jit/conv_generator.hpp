#pragma once

// How the code of a ConvKernel is made. Included by the files that define it only.

#include <xbyak/xbyak.h>

#include <functional>

#include "softdpu/jit/conv_kernel.hpp"

namespace nerone::softdpu::jit {

class ConvKernel::Generator : public Xbyak::CodeGenerator {
 public:
  Generator(const ConvShape& shape, const ConvTile& tile);

 private:
  // A stretch of a row or of the channels: `count` times `size`.
  struct Run {
    int count = 0, size = 0;
  };
  // One tile as it is generated: channels and blocks may be fewer than the plan's at an edge.
  struct Tile {
    int channels = 0, blocks = 0;
    bool at_edge = false;  // holds the last block of a row that is no multiple of 16 pixels
  };

  // conv_kernel.cpp
  void emit_kernel();
  void load_constants();
  void emit_rows();
  void emit_channel_runs();
  void emit_channel_block(int channels);
  void emit_gap(int channels);
  void repeat(int count, const Xbyak::Reg64& counter, const std::function<void()>& body);
  void add_bytes(const Xbyak::Reg64& reg, std::ptrdiff_t bytes);

  // conv_taps.cpp
  void emit_tile(const Tile& tile);
  void start_from_bias(const Tile& tile);
  void start_from_sums(const Tile& tile);
  void emit_groups(const Tile& tile);
  void emit_tap(const Tile& tile, const Tap& tap, std::ptrdiff_t group_offset, std::ptrdiff_t& weight_offset);
  void load_pixels(const Xbyak::Zmm& to, std::ptrdiff_t offset);
  std::ptrdiff_t pixel_offset(const Tap& tap, int row, int block) const;

  // conv_stores.cpp
  void emit_stores(const Tile& tile);
  void store_sums(const Tile& tile);
  void requantize(const Xbyak::Zmm* sums, int count, int channel);
  void requantize_right(const Xbyak::Zmm* sums, int count);
  void requantize_left(const Xbyak::Zmm* sums, int count, int channel);
  void requantize_leaky(const Xbyak::Zmm* sums, int count, int channel);
  void store(const Tile& tile, int row, int block, int first_channel);
  void store_vector(const Xbyak::Zmm& bytes, std::ptrdiff_t offset, int pixels);
  void store_bytes(const Xbyak::Reg64& base, std::ptrdiff_t offset, const Xbyak::Zmm& bytes);
  void emit_tables();

  Xbyak::Zmm sum(const Tile& tile, int phase, int channel, int row, int block) const;
  Xbyak::Zmm scratch(int index) const;                  // registers that hold pixels and weights in the inner loop
  int row_lanes() const { return lanes / plan_.fold; }  // pixels of one row in a register
  int blocks_per_row() const { return divide_up(shape_.grid.width, row_lanes()); }
  int store_phases() const { return shape_.upsample ? 2 : shape_.grid.phases; }
  int stored_width() const { return shape_.upsample ? 2 * shape_.grid.out_width : shape_.grid.out_width; }
  // Pixels of the row that are left for a vector that starts `offset` pixels into the row's last block.
  int pixels_at_edge(int offset) const;
  bool has_edge() const { return stored_width() % (row_lanes() * store_phases()) != 0; }
  std::ptrdiff_t grid_row_bytes() const;

  const ConvShape shape_;
  const ConvTile plan_;

  // Registers.
  const Xbyak::Reg64 arguments_ = rdi;
  const Xbyak::Reg64 input_row_ = r8, output_row_ = r9;        // of the row tile
  const Xbyak::Reg64 input_block_ = rbp, output_block_ = r15;  // of the channel block
  const Xbyak::Reg64 input_ = rax, output_ = rbx;              // of the tile
  const Xbyak::Reg64 weights_ = r10, bias_ = r11, half_bits_ = rdi;
  const Xbyak::Reg64 sums_block_ = r11, sums_ = rdi;  // of the channel block, of the tile; where there is no bias
  const Xbyak::Reg64 group_input_ = rdx, group_weights_ = rsi;
  const Xbyak::Reg64 rows_left_ = r12, channels_left_ = r13, tiles_left_ = r14, groups_left_ = rcx;
  const Xbyak::Zmm zeros_ = zmm31, transpose_ = zmm30;
  const Xbyak::Zmm low_half_ = zmm29, high_half_ = zmm28;  // of an interleaved pair
  const Xbyak::Zmm evens_ = zmm29;                         // strided inputs never meet interleaved outputs

  Xbyak::Label transpose_table_, low_half_table_, high_half_table_, evens_table_, constants_;
};

}  // namespace nerone::softdpu::jit
