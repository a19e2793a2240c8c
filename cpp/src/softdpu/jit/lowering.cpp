#include "softdpu/jit/lowering.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "softdpu/jit/conv_shape.hpp"
#include "softdpu/jit/requantize.hpp"
#include "softdpu/jit/sum.hpp"

namespace nerone::softdpu::jit {
namespace {

std::optional<ByteBounds> bounds_of(const Activation& activation) {
  switch (activation.kind) {
    case Activation::Kind::none:
      return ByteBounds{};
    case Activation::Kind::relu:
      return ByteBounds{zero_byte, 255};
    case Activation::Kind::relu6:
      return ByteBounds{zero_byte, static_cast<std::uint8_t>(activation.clip_at_96 ? zero_byte + 96 : 255)};
    default:
      return std::nullopt;
  }
}

// Takes an activation that acts on the rounded value away, as a table.
std::optional<ByteTable> take_table(Activation& activation) {
  const bool is_of_rounded =
      activation.kind == Activation::Kind::hard_sigmoid || activation.kind == Activation::Kind::hard_swish;
  if (!is_of_rounded) return std::nullopt;
  ByteTable table;
  for (std::size_t byte = 0; byte < table.bytes.size(); ++byte) {
    table.bytes[byte] = byte_of(activate_and_round(activation, value_of(byte), 0));
  }
  activation = {};
  return table;
}

// Along x the window becomes channels: [Co, Kh, Kw, Ci] in memory is [Co, Kh, 1, Kw * Ci].
Conv unfolded(const Conv& conv) {
  Conv result = conv;
  result.window.kernel_w = result.window.stride_w = 1;
  result.window.pad_left = result.window.pad_right = 0;
  result.input.channels = conv.input.channels * conv.window.kernel_w;
  result.input.width = conv.output.width;
  return result;
}

bool is_worth_unfolding(Isa isa, const Conv& conv) {
  if (conv.depthwise || conv.transposed || conv.window.dilation_w != 1) return false;
  const auto channels = static_cast<int>(conv.input.channels);
  const int kernel_w = conv.window.kernel_w;
  const int groups = divide_up(channels * kernel_w, group_channels);
  const int taps = kernel_w * divide_up(channels, group_channels);
  // Pixels of a strided window take more loads than those side by side; measured on AVX2 only.
  return isa == Isa::avx2 && conv.window.stride_w > 1 && kernel_w > 1 ? channels * kernel_w <= 24 && groups <= taps
                                                                      : channels * kernel_w <= 16 && groups < taps;
}

// A convolution of single pixels that skips some: those it reads are put side by side first, once for all convolutions
// that skip the same ones. Measured on AVX2 only.
bool is_worth_thinning(Isa isa, const Conv& conv) {
  constexpr int least_channels = 32;
  const auto& window = conv.window;
  const bool is_plain = !conv.depthwise && !conv.transposed && conv.input.batch == 1;
  const bool is_pixel = window.kernel_h == 1 && window.kernel_w == 1 && window.pad_top == 0 && window.pad_left == 0 &&
                        window.pad_bottom == 0 && window.pad_right == 0;
  return isa == Isa::avx2 && is_plain && is_pixel && window.stride_w == 2 && conv.output.channels >= least_channels;
}

Conv without_stride(const Conv& conv) {
  Conv result = conv;
  result.window.stride_h = result.window.stride_w = 1;
  result.input.height = conv.output.height;
  result.input.width = conv.output.width;
  return result;
}

// Addresses in a kernel are one register and 32 bits.
bool is_addressable(const Conv& conv) {
  constexpr std::int64_t limit = std::int64_t{1} << 28, margin = 16;
  const auto reach = [&](const Extents& extents) {
    const std::int64_t rows = std::int64_t{conv.window.kernel_h} * conv.window.dilation_h + 4 * conv.window.stride_h;
    return (extents.width + margin) * (extents.channels + group_channels) * (rows + margin);
  };
  return reach(conv.input) < limit && reach(conv.output) < limit;
}

}  // namespace

bool GraphBuilder::lower_step(const Step& step, const Conv& whole) {
  Conv conv = whole;
  const auto table = take_table(conv.activation);
  if (!lower_conv(step, conv)) return false;
  if (table) add_table(step, *table);
  return true;
}

// Of the step's output as it stands.
void GraphBuilder::add_table(const Step& step, const ByteTable& table) {
  const int input = packed_[step.output];
  packed_[step.output] = add_packed(tensor(input).extents, tensor(input).channels);
  add_node(step.name, TableNode{table}, {input}, packed_[step.output]);
}

bool GraphBuilder::lower_step(const Step& step, const HardSigmoid& sigmoid) {
  if (!image(step.inputs[0]) || !image(step.output)) return false;
  ByteTable table;
  for (std::size_t byte = 0; byte < table.bytes.size(); ++byte) table.bytes[byte] = byte_of(sigmoid.table[byte]);
  packed_[step.output] = packed(step.inputs[0]);
  add_table(step, table);
  return true;
}

bool GraphBuilder::lower_conv(const Step& step, const Conv& conv) {
  if (!image(step.inputs[0]) || !grids_of(conv) || !requantization_of(conv) || !is_addressable(conv)) return false;
  if (lower_unfolded(step, conv)) return true;
  if (is_worth_thinning(isa_, conv)) {
    add_conv(step, without_stride(conv), thinned(step.inputs[0], conv));
  } else {
    add_conv(step, conv, packed(step.inputs[0]));
  }
  return true;
}

int GraphBuilder::thinned(std::size_t value, const Conv& conv) {
  const auto& window = conv.window;
  auto& known = thinned_.try_emplace({value, window.stride_h, window.stride_w}, none).first->second;
  if (known != none) return known;
  UpsampleNode node;
  for (int y = 0; y < static_cast<int>(conv.output.height); ++y) node.rows.push_back(y * window.stride_h);
  for (int x = 0; x < static_cast<int>(conv.output.width); ++x) node.columns.push_back(x * window.stride_w);
  const int input = packed(value);
  known = add_packed(without_stride(conv).input, tensor(input).channels);
  return add_node(program_.values[value].name, std::move(node), {input}, known);
}

bool GraphBuilder::lower_unfolded(const Step& step, const Conv& conv) {
  const int from = dense_[step.inputs[0]];
  if (from == none || packed_[step.inputs[0]] != none || !is_worth_unfolding(isa_, conv)) return false;
  const Conv narrow = unfolded(conv);
  const PackNode pack{conv.window.kernel_w, conv.window.stride_w, conv.window.pad_left,
                      static_cast<int>(conv.input.width), static_cast<int>(conv.input.channels)};
  const int wide = add_packed(narrow.input, dense_channels(static_cast<int>(narrow.input.channels)));
  add_node(program_.values[step.inputs[0]].name, pack, {from}, wide);
  add_conv(step, narrow, wide);
  return true;
}

void GraphBuilder::add_conv(const Step& step, const Conv& conv, int input) {
  const auto extents = *image(step.output);
  auto channels = conv.depthwise ? tensor(input).channels : dense_channels(static_cast<int>(extents.channels));
  const int output = packed_[step.output] = add_packed(extents, std::move(channels));
  tensor(input).pads.include(pads_of(*grids_of(conv), conv.input));
  add_node(step.name, ConvNode{conv}, {input}, output);
}

bool GraphBuilder::lower_step(const Step& step, const Pool& pool) {
  if (!image(step.inputs[0]) || !image(step.output)) return false;
  if (pool.window.dilation_h != 1 || pool.window.dilation_w != 1) return false;
  return pool.kind == Pool::Kind::max ? lower_max(step, pool) : lower_average(step, pool);
}

bool GraphBuilder::lower_max(const Step& step, const Pool& pool) {
  if (pool.factor != 1 || pool.shift + 2 > max_sum_shift) return false;
  const int input = packed(step.inputs[0]);
  const int output = add_packed(*image(step.output), tensor(input).channels);
  add_node(step.name, MaxPoolNode{pool.window}, {input}, output);
  packed_[step.output] = pool.shift == 0 ? output : requantized(step, output, pool.shift);
  return true;
}

// Of the whole image, or a depthwise convolution by one weight.
bool GraphBuilder::lower_average(const Step& step, const Pool& pool) {
  const auto& window = pool.window;
  const auto in = *image(step.inputs[0]), out = *image(step.output);
  if (out.height == 1 && out.width == 1 && window.kernel_h - window.pad_top >= in.height &&
      window.kernel_w - window.pad_left >= in.width) {
    const int input = packed(step.inputs[0]);
    packed_[step.output] = add_packed(out, tensor(input).channels);
    add_node(step.name, GlobalAverageNode{{pool.factor, pool.shift}}, {input}, packed_[step.output]);
    return true;
  }
  if (pool.factor > std::numeric_limits<std::int8_t>::max()) return false;
  Conv conv;
  conv.depthwise = true;
  conv.window = window;
  conv.input = in;
  conv.output = out;
  conv.shift_cut = pool.shift;
  const auto weights = static_cast<std::size_t>(window.kernel_h * window.kernel_w * in.channels);
  conv.weights = std::make_shared<std::vector<std::int8_t>>(weights, static_cast<std::int8_t>(pool.factor));
  return lower_conv(step, conv);
}

bool GraphBuilder::lower_step(const Step& step, const Eltwise& eltwise) {
  Eltwise rest = eltwise;
  const auto table = take_table(rest.activation);
  const auto bounds = bounds_of(rest.activation);
  if (!bounds || !image(step.output)) return false;
  const bool is_lowered =
      rest.kind == Eltwise::Kind::add ? lower_sum(step, rest, *bounds) : lower_product(step, rest, *bounds);
  if (is_lowered && table) add_table(step, *table);
  return is_lowered;
}

bool GraphBuilder::lower_sum(const Step& step, const Eltwise& eltwise, const ByteBounds& bounds) {
  if (eltwise.broadcasts || eltwise.shift > max_sum_shift || step.inputs.size() > max_sum_inputs) return false;
  std::vector<int> inputs;
  for (const auto input : step.inputs) inputs.push_back(packed(input));
  const auto channels = tensor(inputs[0]).channels;
  for (const int input : inputs) {
    if (tensor(input).channels != channels) return false;
  }
  const int output = packed_[step.output] = add_packed(*image(step.output), channels);
  add_node(step.name, SumNode{eltwise.input_shifts, eltwise.shift, bounds}, inputs, output);
  return true;
}

// Of two images, or of one and a value for each channel or each pixel.
bool GraphBuilder::lower_product(const Step& step, const Eltwise& eltwise, const ByteBounds& bounds) {
  if (step.inputs.size() != 2 || eltwise.shift > max_product_shift) return false;
  const auto whole = *image(step.output);
  auto first = step.inputs[0], second = step.inputs[1];
  const auto has = [&](std::size_t value, const Extents& extents) { return image(value) == extents; };
  if (!has(first, whole)) std::swap(first, second);
  ProductRule rule{Factor::whole, eltwise.shift, bounds};
  if (has(second, {1, 1, 1, whole.channels})) rule.second = Factor::vector;
  if (has(second, {1, whole.height, whole.width, 1})) rule.second = Factor::plane;
  if (has(second, whole)) rule.second = Factor::whole;
  if (!has(first, whole) || (rule.second == Factor::whole && !has(second, whole))) return false;
  const std::vector<int> inputs{packed(first), packed(second)};
  const auto &channels = tensor(inputs[0]).channels, &others = tensor(inputs[1]).channels;
  if (rule.second == Factor::plane ? others[0] != 0 : channels != others) return false;
  const int output = packed_[step.output] = add_packed(whole, ChannelMap(channels));
  add_node(step.name, ProductNode{rule}, inputs, output);
  return true;
}

bool GraphBuilder::lower_step(const Step& step, const Concat& concat) {
  constexpr int channel_axis = 3;
  if (concat.axis != channel_axis || !image(step.output)) return false;
  for (const int shift : concat.shifts) {
    if (shift + 2 > max_sum_shift) return false;
  }
  std::vector<int> inputs;
  ChannelMap channels;
  int first_channel = 0;
  for (const auto input : step.inputs) {
    inputs.push_back(packed(input));
    for (const int channel : tensor(inputs.back()).channels) {
      channels.push_back(channel < 0 ? none : first_channel + channel);
    }
    first_channel += static_cast<int>(image(input)->channels);
  }
  const int whole = packed_[step.output] = add_packed(*image(step.output), std::move(channels));
  int group = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    place(step, inputs[i], concat.shifts[i], whole, group);
    group += tensor(inputs[i]).groups();
  }
  return true;
}

void GraphBuilder::place(const Step& step, int input, int shift, int whole, int first_group) {
  const bool is_copy = shift != 0 || tensor(input).parent != none;
  const int part = is_copy ? requantized(step, input, shift) : input;
  tensor(part).parent = whole;
  tensor(part).first_group = first_group;
}

// R(x / 2^shift)
int GraphBuilder::requantized(const Step& step, int input, int shift) {
  const int output = add_packed(tensor(input).extents, tensor(input).channels);
  return add_node(step.name, SumNode{{0}, shift + 2, {}}, {input}, output);
}

bool GraphBuilder::lower_step(const Step& step, const Upsample& upsample) {
  if (upsample.bilinear || upsample.shift + 2 > max_sum_shift || !image(step.inputs[0])) return false;
  UpsampleNode node;
  for (const auto& row : upsample.rows) node.rows.push_back(static_cast<int>(row.low));
  for (const auto& column : upsample.columns) node.columns.push_back(static_cast<int>(column.low));
  int input = packed(step.inputs[0]);
  if (upsample.shift != 0) input = requantized(step, input, upsample.shift);
  const int output = packed_[step.output] = add_packed(*image(step.output), tensor(input).channels);
  add_node(step.name, std::move(node), {input}, output);
  return true;
}

// Of rows and columns; elsewhere the axes stay as they are.
bool GraphBuilder::lower_step(const Step& step, const Pad& pad) {
  if (!image(step.inputs[0]) || !image(step.output)) return false;
  if (pad.input_shape[0] != pad.output_shape[0] || pad.input_shape[3] != pad.output_shape[3]) return false;
  UpsampleNode node;
  node.rows.assign(pad.sources[1].begin(), pad.sources[1].end());
  node.columns.assign(pad.sources[2].begin(), pad.sources[2].end());
  node.fill = byte_of(pad.constant);
  const int input = packed(step.inputs[0]);
  const int output = packed_[step.output] = add_packed(*image(step.output), tensor(input).channels);
  add_node(step.name, std::move(node), {input}, output);
  return true;
}

// The same bytes: no work at all. Another shape needs the dense form.
bool GraphBuilder::lower_step(const Step& step, const Copy&) {
  const std::size_t from = step.inputs[0];
  const auto before = image(from), after = image(step.output);
  if (packed_[from] != none && before && after && *before == *after) {
    packed_[step.output] = packed_[from];
  } else {
    dense(from);
  }
  if (dense_[from] != none) {
    const int parent = dense_[from];
    dense_[step.output] = add_dense(step.output);
    tensor(dense_[step.output]).parent = parent;
  }
  return true;
}

}  // namespace nerone::softdpu::jit
