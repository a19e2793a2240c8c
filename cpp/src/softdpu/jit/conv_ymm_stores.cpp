#include <algorithm>

#include "softdpu/jit/conv_ymm.hpp"
#include "softdpu/jit/conv_ymm_constants.hpp"

namespace nerone::softdpu::jit {

using Xbyak::Xmm;
using Xbyak::Ymm;

namespace {

// No overflow below, and saturation above, whatever follows.
constexpr std::int32_t left_limit = 1 << 16;

}  // namespace

Xbyak::Address ConvKernel::YmmGenerator::constant(int index) const {
  return ptr[rip + constants_ + index * static_cast<int>(register_bytes())];
}

void ConvKernel::YmmGenerator::requantize(const Tile& tile, int phase, int channel, int count, int row, int block) {
  Ymm sums[group_channels];
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
  if (shape_.requantize.low > 0) vpmaxub(sums[0], sums[0], constant(ymm::zeros));
  if (shape_.requantize.high < 255) vpminub(sums[0], sums[0], constant(ymm::high_byte));
  vpshufb(sums[0], sums[0], constant(ymm::transpose));
}

void ConvKernel::YmmGenerator::requantize_right(const Ymm* sums, int count) {
  // Saturated to 16 bits first, a value still gives 255 after a shift of up to 7: 32767 >> 7 = 255.
  constexpr int max_word_shift = 7;
  const int shift = shape_.requantize.shift;
  const Ymm &second = sums[std::min(1, count - 1)], &third = sums[std::min(2, count - 1)], &fourth = sums[count - 1];
  for (int i = 0; i < count && shift > max_word_shift; ++i) {
    vpsrad(sums[i], sums[i], static_cast<std::uint8_t>(shift));
  }
  vpackssdw(sums[0], sums[0], second);
  if (count > 2) vpackssdw(third, third, fourth);
  const Ymm& upper = count > 2 ? third : sums[0];
  if (shift > 0 && shift <= max_word_shift) {
    vpsraw(sums[0], sums[0], static_cast<std::uint8_t>(shift));
    if (count > 2) vpsraw(upper, upper, static_cast<std::uint8_t>(shift));
  }
  vpackuswb(sums[0], sums[0], upper);
}

void ConvKernel::YmmGenerator::requantize_left(const Ymm* sums, int count, int channel) {
  const bool leaky = shape_.requantize.kind == Requantize::Kind::leaky;
  for (int i = 0; i < count; ++i) {
    vpminsd(sums[i], sums[i], constant(ymm::most));
    vpmaxsd(sums[i], sums[i], constant(ymm::least));
    vpslld(sums[i], sums[i], 1);
    vpbroadcastd(weight_, ptr[half_bits_ + (channel + i) * 4]);
    vpaddd(sums[i], sums[i], weight_);
    if (!leaky) vpslld(sums[i], sums[i], static_cast<std::uint8_t>(shape_.requantize.shift));
  }
  if (!leaky) pack_signed(sums, count);
}

void ConvKernel::YmmGenerator::requantize_leaky(const Ymm* sums, int count, int channel) {
  const int shift = shape_.requantize.shift;
  requantize_left(sums, count, channel);
  for (int i = 0; i < count; ++i) {
    vpmulld(product_, sums[i], constant(ymm::leaky_factor));
    vpaddd(product_, product_, constant(ymm::leaky_round));
    vpsrad(product_, product_, static_cast<std::uint8_t>(shift + 9));
    vpaddd(weight_, sums[i], constant(ymm::round));
    vpsrad(weight_, weight_, static_cast<std::uint8_t>(shift + 1));
    vblendvps(sums[i], weight_, product_, sums[i]);
  }
  pack_signed(sums, count);
}

void ConvKernel::YmmGenerator::pack_signed(const Ymm* sums, int count) {
  const Ymm& third = sums[std::min(2, count - 1)];
  vpackssdw(sums[0], sums[0], sums[std::min(1, count - 1)]);
  if (count > 2) vpackssdw(third, third, sums[count - 1]);
  vpacksswb(sums[0], sums[0], count > 2 ? third : sums[0]);
  vpxor(sums[0], sums[0], constant(ymm::zeros));
}

void ConvKernel::YmmGenerator::store(const Tile& tile, int row, int block, int first_channel) {
  const bool at_edge = tile.at_edge && block == tile.blocks - 1;
  const auto offset = row * plan_.fold * grid_row_bytes() + (first_channel / group_channels) * shape_.output.group +
                      block * register_bytes() * store_phases();
  const Ymm evens = sum(tile, 0, first_channel, row, block);
  if (store_phases() == 1) return store_vector(evens, offset, at_edge ? pixels_at_edge(0) : row_lanes());
  const Ymm odds = shape_.upsample ? evens : sum(tile, 1, first_channel, row, block);
  vpunpckldq(product_, evens, odds);
  vpunpckhdq(weight_, evens, odds);
  const Ymm &first = evens, &second = product_;
  vperm2i128(first, product_, weight_, 0x20);
  vperm2i128(second, product_, weight_, 0x31);
  for (int half = 0; half < 2; ++half) {
    const Ymm& bytes = half == 0 ? first : second;
    const int pixels = at_edge ? pixels_at_edge(half * row_lanes()) : row_lanes();
    const auto at = offset + half * register_bytes();
    store_vector(bytes, at, pixels);
    if (shape_.upsample && pixels > 0) store_vector(bytes, at + shape_.output.row, row_lanes());
  }
}

// `pixels` below a row's in the register: those behind them become zeros, the right pad.
void ConvKernel::YmmGenerator::store_vector(const Ymm& bytes, std::ptrdiff_t offset, int pixels) {
  if (pixels <= 0) return;
  if (pixels < row_lanes()) {
    unsigned behind = 0;
    for (int lane = 0; lane < lanes_in_register(); ++lane) {
      if (lane % row_lanes() >= pixels) behind |= 1U << lane;
    }
    vpblendd(bytes, bytes, constant(ymm::zeros), static_cast<std::uint8_t>(behind));
  }
  store_rows(output_, offset, bytes);
}

// To as many rows as a register holds.
void ConvKernel::YmmGenerator::store_rows(const Xbyak::Reg64& base, std::ptrdiff_t offset, const Ymm& bytes) {
  const auto row = [&](int i) { return ptr[base + (offset + i * grid_row_bytes())]; };
  const Xmm low(bytes.getIdx()), high(product_.getIdx());
  if (plan_.fold == 1) return vmovdqu(row(0), bytes);
  if (plan_.fold == 2) {
    vmovdqu(row(0), low);
    return vextracti128(row(1), bytes, 1);
  }
  vmovq(row(0), low);
  vmovhps(row(1), low);
  vextracti128(high, bytes, 1);
  vmovq(row(2), high);
  vmovhps(row(3), high);
}

void ConvKernel::YmmGenerator::prepare_zeros() { vmovdqa(weight_, constant(ymm::zeros)); }

// As many bytes as one row has in a register.
void ConvKernel::YmmGenerator::store_zeros(std::ptrdiff_t offset_in_block) {
  const auto to = ptr[output_block_ + offset_in_block];
  const Xmm half(weight_.getIdx());
  if (plan_.fold == 1) return vmovdqu(to, weight_);
  if (plan_.fold == 2) return vmovdqu(to, half);
  vmovq(to, half);
}

// What fills a constant.
std::uint32_t ConvKernel::YmmGenerator::dword_of(int index) const {
  const int shift = shape_.requantize.shift;
  const bool leaky = shape_.requantize.kind == Requantize::Kind::leaky;
  switch (index) {
    case ymm::zeros:
      return zero_byte * 0x01010101U;
    case ymm::low_bytes:
      return 0x00FF00FFU;
    case ymm::high_byte:
      return shape_.requantize.high * 0x01010101U;
    case ymm::most:
      return static_cast<std::uint32_t>(leaky ? 1 << (shift + 8) : left_limit);
    case ymm::least:
      return static_cast<std::uint32_t>(leaky ? -(1 << (shift + 11)) : -left_limit);
    case ymm::leaky_factor:
      return leaky_numerator;
    case ymm::leaky_round:
      return leaky ? 1U << (shift + 8) : 0;
    case ymm::without_flip:
      return 0x7F7F7F7FU;
    case ymm::word_ones:
      return 0x00010001U;
    default:
      return leaky ? 1U << shift : 0;
  }
}

void ConvKernel::YmmGenerator::emit_tables() {
  align(64);
  L(constants_);
  for (int index = 0; index < ymm::count; ++index) {
    for (int i = 0; i < lanes_in_register(); ++i) {
      if (index != ymm::transpose) {
        dd(dword_of(index));
        continue;
      }
      for (int pixel = 0; pixel < 4; ++pixel) db(static_cast<std::uint8_t>(pixel * 4 + i % 4));
    }
  }
}

}  // namespace nerone::softdpu::jit
