#include "random_program.hpp"

#include <algorithm>
#include <utility>

namespace nerone::test {
namespace {

using namespace softdpu;

class Maker {
 public:
  Maker(Random& random, int steps) : random_(random) {
    const int inputs = pick(random_, 1, 2);
    const Shape shape{1, pick(random_, 1, 24), pick(random_, 1, 40), pick(random_, 1, 9)};
    for (int i = 0; i < inputs; ++i) {
      program_.inputs.push_back(add_value("input" + std::to_string(i), shape, pick(random_, -1, 7)));
    }
    while (static_cast<int>(program_.steps.size()) < steps) add_step();
    bind_outputs();
  }

  Program take() { return std::move(program_); }

 private:
  std::size_t add_value(const std::string& name, const Shape& shape, int fix_point) {
    program_.values.push_back({name, shape, DType::int8, fix_point, nullptr});
    return program_.values.size() - 1;
  }

  Extents extents(std::size_t value) const {
    const auto& shape = program_.values[value].shape;
    return {shape[0], shape[1], shape[2], shape[3]};
  }

  // Any earlier value; the latest ones more often, so that chains become long.
  std::size_t source() {
    const auto count = static_cast<int>(program_.values.size());
    const int first = chance(random_, 0.6) ? std::max(0, count - 3) : 0;
    return static_cast<std::size_t>(pick(random_, first, count - 1));
  }

  std::vector<std::size_t> sources_like(std::size_t first, bool same_channels) {
    std::vector<std::size_t> chosen{first};
    for (int attempt = 0; attempt < 12 && chosen.size() < 4; ++attempt) {
      const auto other = source();
      auto shape = program_.values[other].shape, wanted = program_.values[first].shape;
      if (!same_channels) shape[3] = wanted[3] = 0;
      if (shape == wanted) chosen.push_back(other);
    }
    return chosen;
  }

  void push(Operation operation, std::vector<std::size_t> inputs, const Extents& out, int fix_point) {
    const std::string name = "step" + std::to_string(program_.steps.size());
    const auto output = add_value(name, {out.batch, out.height, out.width, out.channels}, fix_point);
    program_.steps.push_back({name, std::move(operation), std::move(inputs), output});
  }

  void add_step() {
    const auto from = source();
    switch (pick(random_, 0, 16)) {
      case 0:
      case 1:
      case 2:
        return add_conv(from);
      case 3:
        return add_pool(from);
      case 4:
        return add_sum(from);
      case 5:
      case 6:
        return add_concat(from);
      case 7:
        return add_upsample(from);
      case 8:
        return push(Copy{program_.values[from].size_bytes()}, {from}, extents(from), program_.values[from].fix_point);
      case 9:
        return add_hard_sigmoid(from);
      case 10:
        return add_pad(from);
      case 11:
        return add_gate(from);
      case 12:
        return add_product(from);
      case 13:
        return add_swish(from);
      case 14:
        return add_attention(from);
      default:
        return add_decoder(from);
    }
  }

  void add_conv(std::size_t from) {
    Conv conv = random_conv(random_);
    conv.input = extents(from);
    const auto& window = conv.window;
    conv.output = conv.input;
    if (conv.transposed) {
      conv.output.height =
          (conv.input.height - 1) * window.stride_h + window.kernel_h - window.pad_top - window.pad_bottom;
      conv.output.width =
          (conv.input.width - 1) * window.stride_w + window.kernel_w - window.pad_left - window.pad_right;
    } else {
      conv.output.height = window.output_height(conv.input.height);
      conv.output.width = window.output_width(conv.input.width);
    }
    if (!conv.depthwise) conv.output.channels = pick(random_, 1, 20);
    if (conv.output.height < 1 || conv.output.width < 1 || conv.output.element_count() > 60000) return;
    const auto area = window.kernel_h * window.kernel_w * (conv.depthwise ? 1 : conv.output.channels);
    conv.weights = std::make_shared<std::vector<std::int8_t>>(
        random_bytes(random_, static_cast<std::size_t>(area * conv.input.channels)));
    conv.bias = std::make_shared<std::vector<std::int8_t>>(
        random_bytes(random_, static_cast<std::size_t>(conv.output.channels)));
    if (chance(random_, 0.2)) conv.activation = hard_activation();
    push(conv, {from}, conv.output, pick(random_, -2, 7));
  }

  Activation hard_activation() {
    Activation activation;
    activation.kind = chance(random_, 0.5) ? Activation::Kind::hard_sigmoid : Activation::Kind::hard_swish;
    activation.hard_sigmoid = {pick(random_, -2, 6), pick(random_, 6, 27)};
    activation.shift_hswish = pick(random_, -1, 8);
    return activation;
  }

  void add_pool(std::size_t from) {
    Pool pool;
    pool.kind = chance(random_, 0.6) ? Pool::Kind::max : Pool::Kind::average;
    pool.window.kernel_h = pick(random_, 1, chance(random_, 0.2) ? 9 : 3);
    pool.window.kernel_w = pick(random_, 1, chance(random_, 0.2) ? 9 : 3);
    pool.window.stride_h = pool.window.stride_w = pick(random_, 1, 2);
    pool.window.pad_top = pick(random_, 0, pool.window.kernel_h - 1);
    pool.window.pad_left = pick(random_, 0, pool.window.kernel_w - 1);
    pool.input = pool.output = extents(from);
    pool.output.height = pool.window.output_height(pool.input.height);
    pool.output.width = pool.window.output_width(pool.input.width);
    if (pool.output.height < 1 || pool.output.width < 1) return;
    if (pool.kind == Pool::Kind::average) {
      const auto reciprocal = average_reciprocal(pool.window.kernel_h, pool.window.kernel_w);
      pool.factor = reciprocal.factor;
      pool.shift = reciprocal.shift;
    }
    if (chance(random_, 0.3)) pool.shift += pick(random_, -3, 3);
    push(pool, {from}, pool.output, program_.values[from].fix_point);
  }

  void add_sum(std::size_t from) {
    Eltwise sum;
    const auto inputs = sources_like(from, true);
    const auto out = extents(from);
    sum.output_shape = program_.values[from].shape;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      sum.input_strides.push_back({out.height * out.width * out.channels, out.width * out.channels, out.channels, 1});
      sum.input_shifts.push_back(pick(random_, 0, 4));
    }
    sum.shift = pick(random_, -1, 6);
    sum.activation.kind = chance(random_, 0.5) ? Activation::Kind::relu : Activation::Kind::none;
    if (chance(random_, 0.1)) sum.activation = hard_activation();
    push(sum, inputs, out, pick(random_, 0, 6));
  }

  void add_concat(std::size_t from) {
    Concat concat;
    auto inputs = sources_like(from, false);
    if (chance(random_, 0.1)) inputs.push_back(inputs[0]);
    auto out = extents(from);
    concat.outer = out.height * out.width;
    concat.axis = 3;
    out.channels = 0;
    const bool requantizes = chance(random_, 0.3);
    for (const auto input : inputs) {
      concat.input_blocks.push_back(extents(input).channels);
      concat.shifts.push_back(requantizes ? pick(random_, -2, 3) : 0);
      out.channels += extents(input).channels;
    }
    concat.output_block = out.channels;
    if (out.channels > 60) return;
    push(concat, inputs, out, pick(random_, 0, 6));
  }

  void add_upsample(std::size_t from) {
    Upsample upsample;
    upsample.input = upsample.output = extents(from);
    const int factor = chance(random_, 0.8) ? 2 : 3;
    upsample.output.height *= factor;
    upsample.output.width *= factor;
    upsample.shift = chance(random_, 0.2) ? pick(random_, -2, 2) : 0;
    if (upsample.output.element_count() > 60000) return;
    for (std::int64_t i = 0; i < upsample.output.height; ++i) upsample.rows.push_back({i / factor, i / factor, 0.0F});
    for (std::int64_t i = 0; i < upsample.output.width; ++i) upsample.columns.push_back({i / factor, i / factor, 0.0F});
    push(upsample, {from}, upsample.output, pick(random_, 0, 6));
  }

  // Each channel times its maximum or its average, as a squeeze-and-excitation block scales channels.
  void add_gate(std::size_t from) {
    const auto whole = extents(from);
    Pool pool;
    pool.kind = chance(random_, 0.3) ? Pool::Kind::max : Pool::Kind::average;
    if (pool.kind == Pool::Kind::average) {
      const auto reciprocal = average_reciprocal(static_cast<int>(whole.height), static_cast<int>(whole.width));
      pool.factor = reciprocal.factor;
      pool.shift = reciprocal.shift + pick(random_, -3, 1);
    }
    pool.input = whole;
    pool.output = {whole.batch, 1, 1, whole.channels};
    pool.window.kernel_h = static_cast<int>(whole.height);
    pool.window.kernel_w = static_cast<int>(whole.width);
    push(pool, {from}, pool.output, program_.values[from].fix_point);
    const auto vector = program_.steps.back().output;
    const bool first = chance(random_, 0.8);
    push_product({first ? from : vector, first ? vector : from}, whole);
  }

  // Some factors have a single pixel, or a single channel.
  void push_product(const std::vector<std::size_t>& factors, const Extents& whole) {
    Eltwise product;
    product.kind = Eltwise::Kind::multiply;
    product.output_shape = {whole.batch, whole.height, whole.width, whole.channels};
    for (const auto factor : factors) {
      const auto part = extents(factor);
      const std::int64_t pixel = part.width == whole.width && part.height == whole.height ? part.channels : 0;
      product.input_strides.push_back(
          {whole.height * whole.width * pixel, whole.width * pixel, pixel, part.channels == whole.channels ? 1 : 0});
      product.broadcasts = product.broadcasts || !(part == whole);
    }
    product.shift = pick(random_, -3, 16);
    product.activation.kind = chance(random_, 0.5) ? Activation::Kind::relu : Activation::Kind::none;
    if (chance(random_, 0.1)) product.activation = hard_activation();
    push(product, factors, whole, pick(random_, 0, 6));
  }

  void add_product(std::size_t from) {
    auto factors = sources_like(from, true);
    if (factors.size() == 1) factors.push_back(from);
    if (chance(random_, 0.8)) factors.resize(2);
    push_product(factors, extents(from));
  }

  // Each pixel times a number of its own, as an attention gate scales them.
  void add_attention(std::size_t from) {
    push_conv(same_conv(random_, extents(from), 1), from);
    push_product({from, program_.steps.back().output}, extents(from));
  }

  // A value times its own sigmoid.
  void add_swish(std::size_t from) {
    add_hard_sigmoid(from);
    const auto sigmoid = program_.steps.back().output;
    const bool first = chance(random_, 0.5);
    push_product({first ? from : sigmoid, first ? sigmoid : from}, extents(from));
  }

  // A constant around the image, or the image mirrored by a pixel.
  void add_pad(std::size_t from) {
    Pad pad;
    auto out = extents(from);
    const bool mirrors = chance(random_, 0.3);
    pad.constant = static_cast<std::int8_t>(chance(random_, 0.5) ? 0 : pick(random_, -128, 127));
    pad.input_shape = program_.values[from].shape;
    for (std::size_t axis = 0; axis < pad.input_shape.size(); ++axis) {
      const auto extent = static_cast<int>(pad.input_shape[axis]);
      const bool pads = axis == 1 || axis == 2 || (axis == 3 && chance(random_, 0.1));
      const int before = pads ? pick(random_, 0, mirrors ? 1 : 3) : 0, after = pads ? pick(random_, 0, 1) : 0;
      std::vector<std::int64_t> sources;
      for (int at = -before; at < extent + after; ++at) {
        const int mirrored = at < 0 ? -at - 1 : 2 * extent - at - 1;
        sources.push_back(at >= 0 && at < extent ? at : mirrors ? mirrored : -1);
      }
      pad.output_shape.push_back(static_cast<std::int64_t>(sources.size()));
      pad.sources.push_back(std::move(sources));
    }
    out = {out.batch, pad.output_shape[1], pad.output_shape[2], pad.output_shape[3]};
    push(pad, {from}, out, program_.values[from].fix_point);
  }

  // Enlarged by two, beside what has that size already, under a 3x3 convolution.
  void add_decoder(std::size_t from) {
    if (4 * program_.values[from].element_count() > 60000) return;
    Upsample upsample;
    upsample.input = upsample.output = extents(from);
    upsample.output.height *= 2;
    upsample.output.width *= 2;
    for (std::int64_t i = 0; i < upsample.output.height; ++i) upsample.rows.push_back({i / 2, i / 2, 0.0F});
    for (std::int64_t i = 0; i < upsample.output.width; ++i) upsample.columns.push_back({i / 2, i / 2, 0.0F});
    push(upsample, {from}, upsample.output, program_.values[from].fix_point);
    auto whole = program_.steps.back().output;
    if (chance(random_, 0.7)) {
      add_concat(whole);
      whole = program_.steps.back().output;
    }
    push_conv(same_conv(random_, extents(whole), pick(random_, 1, 20)), whole);
    if (chance(random_, 0.1)) push_conv(same_conv(random_, extents(whole), pick(random_, 1, 20)), whole);
  }

  void push_conv(const Conv& conv, std::size_t from) { push(conv, {from}, conv.output, pick(random_, -2, 7)); }

  void add_hard_sigmoid(std::size_t from) {
    HardSigmoid op;
    for (auto& value : op.table) value = static_cast<std::int8_t>(pick(random_, -128, 127));
    op.element_count = program_.values[from].element_count();
    push(op, {from}, extents(from), 6);
  }

  // What nothing reads, and now and then a value in the middle.
  void bind_outputs() {
    std::vector<bool> read(program_.values.size(), false);
    for (const auto& step : program_.steps) {
      for (const auto input : step.inputs) read[input] = true;
    }
    for (const auto& step : program_.steps) {
      if (!read[step.output] || chance(random_, 0.1)) program_.outputs.push_back(step.output);
    }
  }

  Random& random_;
  Program program_;
};

}  // namespace

Program random_program(Random& random, int steps) { return Maker(random, steps).take(); }

}  // namespace nerone::test
