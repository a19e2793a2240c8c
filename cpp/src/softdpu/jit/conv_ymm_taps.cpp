#include "softdpu/jit/conv_ymm.hpp"

namespace nerone::softdpu::jit {

using Xbyak::Xmm;
using Xbyak::Ymm;

void ConvKernel::YmmGenerator::prepare_run(const GroupRun& run) {
  ones_.reset();
  without_flip_.reset();
  if (!run.chains.are_used()) return;
  const auto registers = chain_registers(run.chains, plan_);
  int spare = first_scratch() + registers.used;
  const auto take = [&] { return spare < product_.getIdx() ? std::optional(Ymm(spare++)) : std::nullopt; };
  if (!run.chains.spread) ones_ = registers.product_is_free ? product_ : take();
  if (run.chains.most_input < zero_byte) without_flip_ = take();
  if (ones_) vmovdqa(*ones_, constant(ConvConstant::word_ones));
  if (without_flip_) vmovdqa(*without_flip_, constant(ConvConstant::without_flip));
}

void ConvKernel::YmmGenerator::emit_tap(const Tile& tile, const Tap& tap, std::ptrdiff_t group_offset,
                                        std::ptrdiff_t& weight_offset) {
  const int pixels = plan_.rows * tile.blocks;
  const int weight_bytes = weight_bytes_of(shape_, {});
  for (int i = 0; i < pixels; ++i) {
    load_pixels(scratch(i), group_offset + pixel_offset(tap, i / tile.blocks, i % tile.blocks));
    if (!has_dots()) widen(i);
  }
  for (int phase = 0; phase < shape_.grid.phases; ++phase) {
    if (tap.source[static_cast<std::size_t>(phase)] < 0) continue;
    for (int channel = 0; channel < tile.channels; ++channel, weight_offset += weight_bytes) {
      const int first_sum = sum_index(tile, phase, channel, 0, 0);
      if (has_dots()) {
        add_dots(first_sum, pixels, weight_offset);
        continue;
      }
      if (shape_.depthwise) {
        add_word_products(first_sum, pixels, weight_offset, channel % 2 != 0);
        continue;
      }
      add_word_products(first_sum, pixels, weight_offset, false);
      add_word_products(first_sum, pixels, weight_offset + weight_bytes / 2, true);
    }
  }
}

// Registers behind the sums: the words that the chain adds up, then the pixels of its taps.
void ConvKernel::YmmGenerator::emit_chain(const Tile& tile, const ByteChains& of, const std::vector<GroupTap>& chain,
                                          std::ptrdiff_t& weight_offset) {
  const int pixels = plan_.rows * tile.blocks;
  for (int element = 0; element < static_cast<int>(chain.size()); ++element) {
    const auto& at = chain[static_cast<std::size_t>(element)];
    for (int i = 0; i < pixels; ++i) {
      const Ymm to = scratch((element + 1) * pixels + i);
      const auto offset = at.group * shape_.input.group + pixel_offset(*at.tap, i / tile.blocks, i % tile.blocks);
      if (of.most_input < zero_byte) {
        load_unflipped(to, offset);
      } else {
        load_pixels(to, offset);
      }
    }
  }
  if (of.spread) vmovdqa(weight_, constant(ConvConstant::word_ones));
  for (int phase = 0; phase < shape_.grid.phases; ++phase) {
    std::vector<int> elements;
    for (int element = 0; element < static_cast<int>(chain.size()); ++element) {
      const auto& tap = *chain[static_cast<std::size_t>(element)].tap;
      if (tap.source[static_cast<std::size_t>(phase)] >= 0) elements.push_back(element);
    }
    for (int channel = 0; channel < tile.channels && !elements.empty(); ++channel) {
      add_chain(sum_index(tile, phase, channel, 0, 0), pixels, elements, of.spread, weight_offset);
    }
  }
}

void ConvKernel::YmmGenerator::add_chain(int first_sum, int pixels, const std::vector<int>& elements, bool spread,
                                         std::ptrdiff_t& weight_offset) {
  for (const int element : elements) {
    const auto weights = ptr[group_weights_ + weight_offset];
    if (!spread) vpbroadcastd(weight_, weights);
    weight_offset += spread ? register_bytes() : group_channels;
    for (int i = 0; i < pixels; ++i) {
      const bool begins = element == elements.front();
      const Ymm to = begins ? scratch(i) : product_, from = scratch((element + 1) * pixels + i);
      if (spread) {
        vpmaddubsw(to, from, weights);
      } else {
        vpmaddubsw(to, from, weight_);
      }
      if (!begins) vpaddw(scratch(i), scratch(i), product_);
    }
  }
  for (int i = 0; i < pixels; ++i) {
    if (spread) {
      vpmaddwd(scratch(i), scratch(i), weight_);
    } else if (ones_) {
      vpmaddwd(scratch(i), scratch(i), *ones_);
    } else {
      vpmaddwd(scratch(i), scratch(i), constant(ConvConstant::word_ones));
    }
    vpaddd(Ymm(first_sum + i), Ymm(first_sum + i), scratch(i));
  }
}

// Behind the sums: a pair's pixels and the words that a chain adds up, of the lower and the upper pixels of each half.
void ConvKernel::YmmGenerator::emit_pairs(const Tile& tile) {
  constexpr int used = 4;
  const int pixels = plan_.rows * tile.blocks;
  mov(group_input_, input_);
  const bool has_spare = first_scratch() + used < product_.getIdx();
  without_flip_ = has_spare ? std::optional(scratch(used)) : std::nullopt;
  if (without_flip_) vmovdqa(*without_flip_, constant(ConvConstant::without_flip));
  start_pairs(tile);
  int first = 0;
  for (const int length : shape_.pair_chains) {
    for (int pixel = 0; pixel < pixels; ++pixel) {
      for (int pair = first; pair < first + length; ++pair) add_pair(tile, pixel, pair, pair == first);
      widen_pairs(pixel, pixels);
    }
    first += length;
  }
}

// The sums of a vector of pixels are, by their number as channels: even and odd channels of its lower pixels, even and
// odd ones of its upper pixels.
void ConvKernel::YmmGenerator::start_pairs(const Tile& tile) {
  constexpr std::uint8_t even = 0b10001000, odd = 0b11011101;
  const int pixels = plan_.rows * tile.blocks;
  vbroadcasti128(scratch(0), ptr[bias_]);
  for (int pixel = 0; pixel < pixels; ++pixel) {
    for (int i = 0; i < group_channels; ++i) {
      vpshufd(Ymm(sum_index(tile, 0, i, 0, 0) + pixel), scratch(0), i % 2 == 0 ? even : odd);
    }
  }
}

void ConvKernel::YmmGenerator::add_pair(const Tile& tile, int pixel, int pair, bool begins) {
  const auto& taps = shape_.grid.taps;
  const Ymm first = scratch(0), second = scratch(1), low = scratch(2), high = scratch(3);
  const auto at = 2 * static_cast<std::size_t>(pair);
  const auto offset = [&](const Tap& tap) { return pixel_offset(tap, pixel / tile.blocks, pixel % tile.blocks); };
  load_unflipped(first, offset(taps[at]));
  if (at + 1 < taps.size()) load_unflipped(second, offset(taps[at + 1]));
  const Ymm& other = at + 1 < taps.size() ? second : first;
  vpbroadcastq(weight_, ptr[weights_ + pair * 2 * group_channels]);
  vpunpcklbw(product_, first, other);
  vpunpckhbw(first, first, other);
  if (begins) {
    vpmaddubsw(low, product_, weight_);
    return vpmaddubsw(high, first, weight_);
  }
  vpmaddubsw(product_, product_, weight_);
  vpmaddubsw(first, first, weight_);
  vpaddw(low, low, product_);
  vpaddw(high, high, first);
}

void ConvKernel::YmmGenerator::widen_pairs(int first_sum, int pixels) {
  for (int half = 0; half < 2; ++half) {
    const Ymm words = scratch(2 + half), even(first_sum + 2 * half * pixels), odd(first_sum + (2 * half + 1) * pixels);
    vpmaddwd(product_, words, constant(ConvConstant::even_ones));
    vpmaddwd(words, words, constant(ConvConstant::odd_ones));
    vpaddd(even, even, product_);
    vpaddd(odd, odd, words);
  }
}

void ConvKernel::YmmGenerator::add_dots(int first_sum, int pixels, std::ptrdiff_t weight_offset) {
  vpbroadcastd(weight_, ptr[group_weights_ + weight_offset]);
  for (int i = 0; i < pixels; ++i) vpdpbusd(Ymm(first_sum + i), scratch(i), weight_, Xbyak::VexEncoding);
}

void ConvKernel::YmmGenerator::add_word_products(int first_sum, int pixels, std::ptrdiff_t weight_offset, bool odd) {
  vpbroadcastd(weight_, ptr[group_weights_ + weight_offset]);
  for (int i = 0; i < pixels; ++i) {
    vpmaddwd(product_, odd ? odd_channels(i) : scratch(i), weight_);
    vpaddd(Ymm(first_sum + i), Ymm(first_sum + i), product_);
  }
}

// Four channels of eight pixels to words: 0 and 2 stay in place, 1 and 3 go to a register of their own.
void ConvKernel::YmmGenerator::widen(int pixel) {
  vpsrlw(odd_channels(pixel), scratch(pixel), 8);
  vpand(scratch(pixel), scratch(pixel), constant(ConvConstant::low_bytes));
}

void ConvKernel::YmmGenerator::load_pixels(const Ymm& to, std::ptrdiff_t offset) {
  if (plan_.fold == 1 && shape_.grid.step_x == 1) return vmovdqu(to, ptr[group_input_ + offset]);
  if (plan_.fold == 1 && shape_.grid.step_x == 2) {
    vmovdqu(to, ptr[group_input_ + offset]);
    vshufps(to, to, ptr[group_input_ + (offset + register_bytes())], 0b10001000);
    return vpermq(to, to, 0b11011000);
  }
  load_half(Xmm(to.getIdx()), offset, 0);
  load_half(Xmm(weight_.getIdx()), offset, 1);
  vinserti128(to, to, Xmm(weight_.getIdx()), 1);
}

// Of values that are never negative, without the sign bit.
void ConvKernel::YmmGenerator::load_unflipped(const Ymm& to, std::ptrdiff_t offset) {
  if (!without_flip_) {
    load_pixels(to, offset);
    return vpand(to, to, constant(ConvConstant::without_flip));
  }
  if (plan_.fold == 1 && shape_.grid.step_x == 1) return vpand(to, *without_flip_, ptr[group_input_ + offset]);
  load_pixels(to, offset);
  vpand(to, to, *without_flip_);
}

// Four pixels: of a row from pixel 4 * half on, or of as many rows as a half of the register has.
void ConvKernel::YmmGenerator::load_half(const Xmm& to, std::ptrdiff_t offset, int half) {
  const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(shape_.grid.step_x) * group_channels;
  const auto row = [&](int i) { return group_input_ + (offset + i * shape_.grid.step_y * shape_.input.row); };
  if (plan_.fold == 4) {
    vmovq(to, ptr[row(2 * half)]);
    vmovhps(to, to, ptr[row(2 * half + 1)]);
  } else if (plan_.fold == 2 && shape_.grid.step_x == 1) {
    vmovdqu(to, ptr[row(half)]);
  } else {
    const auto first = plan_.fold == 2 ? row(half) : group_input_ + (offset + half * 4 * step);
    vmovd(to, ptr[first]);
    for (int i = 1; i < 4; ++i) vpinsrd(to, to, ptr[first + i * step], static_cast<std::uint8_t>(i));
  }
}

}  // namespace nerone::softdpu::jit
