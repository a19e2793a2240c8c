#pragma once

// How the code of a ConvKernel is made: the loops over rows, channels and pixels, which are the same for all
// instruction sets. Included by the files that define it only.

#include <xbyak/xbyak.h>

#include <functional>
#include <memory>
#include <vector>

#include "softdpu/jit/conv_kernel.hpp"

namespace nerone::softdpu::jit {

class ConvKernel::Generator : public Xbyak::CodeGenerator {
 public:
  static std::unique_ptr<Generator> make(const ConvShape& shape, const ConvTile& tile);
  ~Generator() override = default;

  int row_tiles() const;
  int first_row(int tile) const;  // of the grid
  std::ptrdiff_t input_row_bytes() const;
  std::ptrdiff_t grid_row_bytes() const;

 protected:
  // A stretch of a row or of the channels: `count` times `size`.
  struct Run {
    int count = 0, size = 0;
  };
  // One tile as it is generated: channels and blocks may be fewer than the plan's at an edge.
  struct Tile {
    int channels = 0, blocks = 0;
    bool at_edge = false;  // holds the last block of a row that is no multiple of a register's pixels
  };

  Generator(const ConvShape& shape, const ConvTile& tile);
  // To be called once, by make().
  void emit_kernel();

  // What the registers decide (conv_vector.hpp) and the instruction set does. A tile's input, output, weights and bias
  // are in the registers below.
  virtual void load_constants() = 0;
  virtual void start_from_bias(const Tile& tile) = 0;
  virtual void start_from_sums(const Tile& tile) = 0;
  // Loads what all taps of a run of groups read.
  virtual void prepare_run(const GroupRun& /*run*/) {}
  virtual void emit_tap(const Tile& tile, const Tap& tap, std::ptrdiff_t group_offset,
                        std::ptrdiff_t& weight_offset) = 0;
  // Sums of a depthwise tile by pairs of taps, the bias included; only where the shape has pairs.
  virtual void emit_pairs(const Tile& /*tile*/) {}
  // The taps of a chain of byte products; only where a run has such chains.
  virtual void emit_chain(const Tile& /*tile*/, const ByteChains& /*of*/, const std::vector<GroupTap>& /*chain*/,
                          std::ptrdiff_t& /*weight_offset*/) {}
  // Makes bytes of the sums of up to four channels, in the first one's register, one dword a pixel.
  virtual void requantize(const Tile& tile, int phase, int channel, int count, int row, int block) = 0;
  // Stores what requantize() made of every phase.
  virtual void store(const Tile& tile, int row, int block, int first_channel) = 0;
  virtual void store_sum(std::ptrdiff_t offset, int sum) = 0;
  // The register that store_zeros() takes is loaded before it by prepare_zeros().
  virtual void prepare_zeros() = 0;
  virtual void store_zeros(std::ptrdiff_t offset_in_block) = 0;
  virtual void emit_tables() = 0;

  void repeat(int count, const Xbyak::Reg64& counter, const std::function<void()>& body);
  void add_bytes(const Xbyak::Reg64& reg, std::ptrdiff_t bytes);

  int lanes_in_register() const { return lanes_of(shape_.isa); }
  std::ptrdiff_t register_bytes() const { return static_cast<std::ptrdiff_t>(lanes_in_register()) * group_channels; }
  int row_lanes() const { return lanes_in_register() / plan_.fold; }  // pixels of one row in a register
  int blocks_per_row() const { return divide_up(shape_.grid.width, row_lanes()); }
  int store_phases() const { return shape_.upsample ? 2 : shape_.grid.phases; }
  int stored_width() const { return shape_.upsample ? 2 * shape_.grid.out_width : shape_.grid.out_width; }
  // Pixels of the row that are left for a vector that starts `offset` pixels into the row's last block.
  int pixels_at_edge(int offset) const;
  bool has_edge() const { return stored_width() % (row_lanes() * store_phases()) != 0; }
  std::ptrdiff_t pixel_offset(const Tap& tap, int row, int block) const;
  // Index of the register that holds a sum, and of those behind them.
  int sum_index(const Tile& tile, int phase, int channel, int row, int block) const;
  int first_scratch() const { return plan_.accumulators(shape_.grid.phases); }

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

 private:
  void emit_rows();
  void emit_channel_runs();
  void emit_channel_block(int channels);
  void emit_tile(const Tile& tile);
  void emit_groups(const Tile& tile);
  void emit_run(const Tile& tile, const GroupRun& run, bool is_last);
  void emit_stores(const Tile& tile);
  void store_sums(const Tile& tile);
  void emit_gap(int channels);
};

}  // namespace nerone::softdpu::jit
