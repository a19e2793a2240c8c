#include "softdpu/ops/conv.hpp"

#include <cstdlib>

#include "softdpu/attributes.hpp"

namespace nerone::softdpu {

namespace {

constexpr int unset = -128;

bool starts_with(const std::string& text, const std::string& prefix) { return text.rfind(prefix, 0) == 0; }

std::int64_t transposed_extent(std::int64_t input, int stride, int kernel, int pads) {
  return (input - 1) * stride + kernel - pads;
}

Extents expected_output(const Conv& conv, const Shape& weights) {
  const auto& window = conv.window;
  Extents output = conv.input;
  output.channels = conv.depthwise ? conv.input.channels * weights[0] : weights[0];
  if (conv.transposed) {
    output.height =
        transposed_extent(conv.input.height, window.stride_h, window.kernel_h, window.pad_top + window.pad_bottom);
    output.width =
        transposed_extent(conv.input.width, window.stride_w, window.kernel_w, window.pad_left + window.pad_right);
  } else {
    output.height = window.output_height(conv.input.height);
    output.width = window.output_width(conv.input.width);
  }
  return output;
}

void check_weights(const xmodel::Op& op, const Conv& conv, const ConvOperands& operands) {
  const auto& weights = *operands.weights;
  if (!weights.constant) refuse(op, "weights must be a constant, '" + weights.name + "' is computed");
  const Shape expected{weights.shape.empty() ? 0 : weights.shape[0], conv.window.kernel_h, conv.window.kernel_w,
                       conv.input.channels};
  if (weights.shape != expected) {
    refuse(op, "weights have shape " + to_string(weights.shape) + ", kernel and input need " + to_string(expected) +
                   " (grouped convolutions are not supported)");
  }
  if (conv.transposed && (conv.window.dilation_h != 1 || conv.window.dilation_w != 1)) {
    refuse(op, "a transposed convolution with a dilation other than 1 is not supported");
  }
}

void check_bias(const xmodel::Op& op, const Conv& conv, const Value* bias) {
  if (bias == nullptr) return;
  if (!bias->constant) refuse(op, "bias must be a constant, '" + bias->name + "' is computed");
  if (bias->element_count() != conv.output.channels) {
    refuse(op, "bias has " + std::to_string(bias->element_count()) + " values, expected one for each of the " +
                   std::to_string(conv.output.channels) + " output channels");
  }
}

// The stored shifts describe the step before HSIGMOID, which the output's fix point does not.
void read_stored_shifts(const xmodel::Op& op, Conv& conv) {
  const auto kind = conv.activation.kind;
  if (kind != Activation::Kind::hard_sigmoid && kind != Activation::Kind::hard_swish) return;
  const auto stored = [&op](const char* key, int derived) {
    const int value = int_attr(op, key, unset);
    if (value != unset && (value < -512 || value > 512)) refuse(op, std::string(key) + " is out of range");
    return value == unset ? derived : value;
  };
  conv.shift_bias = stored("shift_bias", conv.shift_bias);
  conv.shift_cut = stored("shift_cut", conv.shift_cut);
}

}  // namespace

Conv parse_conv(const xmodel::Op& op, const ConvOperands& operands) {
  Conv conv;
  conv.transposed = starts_with(op.type, "transposed-");
  conv.depthwise = op.type.find("depthwise-") != std::string::npos;
  conv.window = Window::parse(op);
  conv.input = extents_of(op, *operands.input);
  check_weights(op, conv, operands);
  conv.output = expected_output(conv, operands.weights->shape);
  require_shape(op, *operands.output, conv.output);
  check_bias(op, conv, operands.bias);
  if (conv.depthwise) conv.multiplier = operands.weights->shape[0];
  const int product_fix_point = operands.input->fix_point + operands.weights->fix_point;
  conv.shift_cut = product_fix_point - operands.output->fix_point;
  if (operands.bias != nullptr) {
    conv.shift_bias = product_fix_point - operands.bias->fix_point;
    conv.bias = operands.bias->constant;
  }
  conv.weights = operands.weights->constant;
  conv.activation = Activation::parse(op, operands.output->fix_point);
  read_stored_shifts(op, conv);
  return conv;
}

std::int64_t Conv::doubled_bias(std::int64_t channel) const {
  // A bias shifted further than this saturates any output, and would not fit the sums.
  constexpr std::int64_t limit = std::int64_t{1} << 46;
  if (!bias) return 0;
  return std::clamp(shift_floor(2 * std::int64_t{(*bias)[static_cast<std::size_t>(channel)]}, shift_bias), -limit,
                    limit);
}

std::int64_t Conv::accumulator_bound() const {
  const auto area = static_cast<std::int64_t>(window.kernel_h) * window.kernel_w;
  const auto taps = depthwise ? area : area * input.channels;
  std::int64_t bound = 0;
  for (std::int64_t channel = 0; channel < output.channels; ++channel) {
    std::int64_t sum = 0;
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      const auto index = depthwise ? ((channel % multiplier) * taps + tap) * input.channels + channel / multiplier
                                   : channel * taps + tap;
      sum += std::abs(std::int64_t{(*weights)[static_cast<std::size_t>(index)]});
    }
    bound = std::max(bound, sum * 128);
  }
  return bound;
}

std::int64_t Conv::macs() const {
  const auto area = static_cast<std::int64_t>(window.kernel_h) * window.kernel_w;
  const auto pixels =
      transposed ? input.batch * input.height * input.width : output.batch * output.height * output.width;
  return pixels * area * output.channels * (depthwise ? 1 : input.channels);
}

namespace {

// Where along one axis output coordinate `out` reads with kernel tap `tap`; -1 for a pad or an inserted zero.
std::int64_t source(bool transposed, std::int64_t out, int tap, int stride, int dilation, int kernel, int pad,
                    std::int64_t input) {
  std::int64_t in = transposed ? out + pad - (kernel - 1 - tap) : out * stride + std::int64_t{tap} * dilation - pad;
  if (transposed) {
    if (in < 0 || in % stride != 0) return -1;
    in /= stride;
  }
  return in >= 0 && in < input ? in : -1;
}

// sum(x * w) of one output element.
std::int64_t accumulate(const Conv& conv, const std::int8_t* image, std::int64_t y, std::int64_t x,
                        std::int64_t channel) {
  const auto& window = conv.window;
  const auto in_channels = conv.input.channels;
  std::int64_t sum = 0;
  for (int ky = 0; ky < window.kernel_h; ++ky) {
    const auto iy = source(conv.transposed, y, ky, window.stride_h, window.dilation_h, window.kernel_h, window.pad_top,
                           conv.input.height);
    if (iy < 0) continue;
    for (int kx = 0; kx < window.kernel_w; ++kx) {
      const auto ix = source(conv.transposed, x, kx, window.stride_w, window.dilation_w, window.kernel_w,
                             window.pad_left, conv.input.width);
      if (ix < 0) continue;
      const auto* pixel = image + (iy * conv.input.width + ix) * in_channels;
      const auto filter = conv.depthwise ? channel % conv.multiplier : channel;
      const auto* weights =
          conv.weights->data() + ((filter * window.kernel_h + ky) * window.kernel_w + kx) * in_channels;
      if (conv.depthwise) {
        sum += pixel[channel / conv.multiplier] * weights[channel / conv.multiplier];
      } else {
        for (std::int64_t c = 0; c < in_channels; ++c) sum += pixel[c] * weights[c];
      }
    }
  }
  return sum;
}

}  // namespace

void run_scalar(const Conv& conv, const std::int8_t* input, std::int8_t* output) {
  const auto image_size = conv.input.height * conv.input.width * conv.input.channels;
  for (std::int64_t n = 0; n < conv.output.batch; ++n) {
    for (std::int64_t y = 0; y < conv.output.height; ++y) {
      for (std::int64_t x = 0; x < conv.output.width; ++x) {
        for (std::int64_t channel = 0; channel < conv.output.channels; ++channel) {
          const auto bias = conv.doubled_bias(channel);
          const auto sum = accumulate(conv, input + n * image_size, y, x, channel);
          *output++ = activate_and_round(conv.activation, 2 * sum + bias, conv.shift_cut + 1);
        }
      }
    }
  }
}

}  // namespace nerone::softdpu
