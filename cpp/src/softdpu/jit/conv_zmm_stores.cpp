#include <algorithm>

#include "softdpu/jit/conv_zmm.hpp"

namespace nerone::softdpu::jit {

using Xbyak::Opmask;
using Xbyak::Zmm;

namespace {

// Words of the constants' table.
enum Constant { most = 0, least = 1, leaky_factor = 2, leaky_round = 3, round = 4, high_byte = 5 };

// No overflow below, and saturation above, whatever follows.
constexpr std::int32_t left_limit = 1 << 16;

}  // namespace

void ConvKernel::ZmmGenerator::requantize(const Tile& tile, int phase, int channel, int count, int row, int block) {
  Zmm sums[group_channels];
  for (int i = 0; i < count; ++i) sums[i] = sum(tile, phase, channel + i, row, block);
  switch (shape_.requantize.kind) {
    case Requantize::Kind::right:
      requantize_right(sums, count);
      break;
    case Requantize::Kind::left:
      requantize_left(sums, count, channel);
      break;
    case Requantize::Kind::leaky:
      requantize_leaky(sums, count, channel);
      break;
  }
  if (shape_.requantize.low > 0) vpmaxub(sums[0], sums[0], zeros_);
  if (shape_.requantize.high < 255) {
    vpbroadcastd(scratch(0), ptr[rip + constants_ + high_byte * 4]);
    vpminub(sums[0], sums[0], scratch(0));
  }
  vpshufb(sums[0], sums[0], transpose_);
}

void ConvKernel::ZmmGenerator::requantize_right(const Zmm* sums, int count) {
  // Saturated to 16 bits first, a value still gives 255 after a shift of up to 7: 32767 >> 7 = 255.
  constexpr int max_word_shift = 7;
  const int shift = shape_.requantize.shift;
  const Zmm &second = sums[std::min(1, count - 1)], &third = sums[std::min(2, count - 1)], &fourth = sums[count - 1];
  for (int i = 0; i < count && shift > max_word_shift; ++i) vpsrad(sums[i], sums[i], shift);
  vpackssdw(sums[0], sums[0], second);
  if (count > 2) vpackssdw(third, third, fourth);
  const Zmm& upper = count > 2 ? third : sums[0];
  if (shift > 0 && shift <= max_word_shift) {
    vpsraw(sums[0], sums[0], shift);
    if (count > 2) vpsraw(upper, upper, shift);
  }
  vpackuswb(sums[0], sums[0], upper);
}

void ConvKernel::ZmmGenerator::requantize_left(const Zmm* sums, int count, int channel) {
  for (int i = 0; i < count; ++i) {
    vpminsd(sums[i], sums[i], ptr_b[rip + constants_ + most * 4]);
    vpmaxsd(sums[i], sums[i], ptr_b[rip + constants_ + least * 4]);
    vpslld(sums[i], sums[i], 1);
    vpaddd(sums[i], sums[i], ptr_b[half_bits_ + (channel + i) * 4]);
    if (shape_.requantize.kind == Requantize::Kind::left) vpslld(sums[i], sums[i], shape_.requantize.shift);
  }
  if (shape_.requantize.kind == Requantize::Kind::left) pack_signed(sums, count);
}

void ConvKernel::ZmmGenerator::requantize_leaky(const Zmm* sums, int count, int channel) {
  const int shift = shape_.requantize.shift;
  requantize_left(sums, count, channel);
  for (int i = 0; i < count; ++i) {
    vpmovd2m(k5, sums[i]);
    vpmulld(scratch(0), sums[i], ptr_b[rip + constants_ + leaky_factor * 4]);
    vpaddd(scratch(0), scratch(0), ptr_b[rip + constants_ + leaky_round * 4]);
    vpsrad(scratch(0), scratch(0), shift + 9);
    vpaddd(sums[i], sums[i], ptr_b[rip + constants_ + round * 4]);
    vpsrad(sums[i], sums[i], shift + 1);
    vmovdqa32(sums[i] | k5, scratch(0));
  }
  pack_signed(sums, count);
}

void ConvKernel::ZmmGenerator::pack_signed(const Zmm* sums, int count) {
  const Zmm& third = sums[std::min(2, count - 1)];
  vpackssdw(sums[0], sums[0], sums[std::min(1, count - 1)]);
  if (count > 2) vpackssdw(third, third, sums[count - 1]);
  vpacksswb(sums[0], sums[0], count > 2 ? third : sums[0]);
  vpxord(sums[0], sums[0], zeros_);
}

void ConvKernel::ZmmGenerator::store(const Tile& tile, int row, int block, int first_channel) {
  const bool at_edge = tile.at_edge && block == tile.blocks - 1;
  const auto offset = row * plan_.fold * grid_row_bytes() + (first_channel / group_channels) * shape_.output.group +
                      static_cast<std::ptrdiff_t>(block) * vector_bytes * store_phases();
  const Zmm evens = sum(tile, 0, first_channel, row, block);
  if (store_phases() == 1) return store_vector(evens, offset, at_edge ? pixels_at_edge(0) : row_lanes());
  const Zmm odds = shape_.upsample ? evens : sum(tile, 1, first_channel, row, block);
  const Zmm halves[] = {scratch(0), scratch(1)};
  for (int half = 0; half < 2; ++half) {
    vmovdqa32(halves[half], evens);
    vpermt2d(halves[half], half == 0 ? low_half_ : high_half_, odds);
    const int pixels = at_edge ? pixels_at_edge(half * lanes) : lanes;
    store_vector(halves[half], offset + half * vector_bytes, pixels);
    if (shape_.upsample && pixels > 0)
      store_vector(halves[half], offset + half * vector_bytes + shape_.output.row, lanes);
  }
}

// `pixels` below 16: those behind them become zeros, the right pad.
void ConvKernel::ZmmGenerator::store_vector(const Zmm& bytes, std::ptrdiff_t offset, int pixels) {
  if (pixels <= 0) return;
  if (pixels < row_lanes()) {
    // One mask for each half of an interleaved pair; at most one half is cut.
    const Opmask mask(pixels == pixels_at_edge(0) ? 1 : 2);
    vpblendmd(bytes | mask, zeros_, bytes);
  }
  if (plan_.fold == 1) return store_bytes(output_, offset, bytes);
  for (int row = 0; row < plan_.fold; ++row) {
    const auto to = ptr[output_ + (offset + row * grid_row_bytes())];
    if (plan_.fold == 2) {
      vextracti64x4(to, bytes, static_cast<std::uint8_t>(row));
    } else {
      vextracti32x4(to, bytes, static_cast<std::uint8_t>(row));
    }
  }
}

// As many bytes as one row has in a register.
void ConvKernel::ZmmGenerator::store_bytes(const Xbyak::Reg64& base, std::ptrdiff_t offset, const Zmm& bytes) {
  if (plan_.fold == 1) {
    vmovdqa32(ptr[base + offset], bytes);
  } else if (plan_.fold == 2) {
    vmovdqa32(ptr[base + offset], Xbyak::Ymm(bytes.getIdx()));
  } else {
    vmovdqa32(ptr[base + offset], Xbyak::Xmm(bytes.getIdx()));
  }
}

void ConvKernel::ZmmGenerator::emit_tables() {
  const int shift = shape_.requantize.shift;
  const bool leaky = shape_.requantize.kind == Requantize::Kind::leaky;
  align(64);
  L(low_half_table_);
  for (int i = 0; i < lanes; ++i) dd(static_cast<std::uint32_t>(i / 2 + (i % 2) * lanes));
  L(high_half_table_);
  for (int i = 0; i < lanes; ++i) dd(static_cast<std::uint32_t>(lanes / 2 + i / 2 + (i % 2) * lanes));
  L(evens_table_);
  const int step = shape_.grid.step_x;
  for (int i = 0; i < lanes; ++i) dd(static_cast<std::uint32_t>(step > 2 ? i * step * group_channels : i * step));
  L(transpose_table_);
  for (int i = 0; i < 16; ++i) db(static_cast<std::uint8_t>((i % 4) * 4 + i / 4));
  L(constants_);
  dd(static_cast<std::uint32_t>(leaky ? 1 << (shift + 8) : left_limit));
  dd(static_cast<std::uint32_t>(leaky ? -(1 << (shift + 11)) : -left_limit));
  dd(leaky_numerator);
  dd(leaky ? 1U << (shift + 8) : 0);
  dd(leaky ? 1U << shift : 0);
  dd(shape_.requantize.high * 0x01010101U);
}

}  // namespace nerone::softdpu::jit
