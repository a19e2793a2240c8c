#include "random_conv.hpp"

#include <cstdlib>
#include <sstream>

namespace nerone::test {

using softdpu::Conv;

std::uint64_t seed_of_run() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("NERONE_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  }();
  return seed;
}

int cases_of_run(int few) {
  const char* given = std::getenv("NERONE_JIT_CASES");
  return given != nullptr ? std::atoi(given) : few;
}

std::vector<std::int8_t> random_bytes(Random& random, std::size_t count) {
  std::vector<std::int8_t> bytes(count);
  // A part of the tensors is extreme: sums and saturation at their limits.
  const bool extreme = chance(random, 0.1);
  for (auto& byte : bytes) {
    byte = static_cast<std::int8_t>(extreme ? (chance(random, 0.5) ? -128 : 127) : pick(random, -128, 127));
  }
  return bytes;
}

namespace {

void choose_window(Random& random, Conv& conv) {
  auto& window = conv.window;
  window.kernel_h = pick(random, 1, chance(random, 0.3) ? 7 : 3);
  window.kernel_w = pick(random, 1, chance(random, 0.3) ? 7 : 3);
  window.stride_h = pick(random, 1, chance(random, 0.2) ? 5 : 2);
  window.stride_w = pick(random, 1, chance(random, 0.2) ? 5 : 2);
  if (!conv.transposed && chance(random, 0.3)) {
    window.dilation_h = pick(random, 1, 4);
    window.dilation_w = pick(random, 1, 6);
  }
  const int reach_h = conv.transposed ? window.kernel_h - 1 : (window.kernel_h - 1) * window.dilation_h;
  const int reach_w = conv.transposed ? window.kernel_w - 1 : (window.kernel_w - 1) * window.dilation_w;
  window.pad_top = pick(random, 0, reach_h);
  window.pad_bottom = pick(random, 0, reach_h);
  window.pad_left = pick(random, 0, reach_w);
  window.pad_right = pick(random, 0, reach_w);
}

bool choose_extents(Random& random, Conv& conv) {
  const auto& window = conv.window;
  const int most = chance(random, 0.5) ? 70 : 20;
  conv.input = {1, pick(random, 1, most), pick(random, 1, most), pick(random, 1, 40)};
  conv.output = conv.input;
  if (conv.transposed) {
    conv.output.height =
        (conv.input.height - 1) * window.stride_h + window.kernel_h - window.pad_top - window.pad_bottom;
    conv.output.width = (conv.input.width - 1) * window.stride_w + window.kernel_w - window.pad_left - window.pad_right;
  } else {
    conv.output.height = window.output_height(conv.input.height);
    conv.output.width = window.output_width(conv.input.width);
  }
  if (!conv.depthwise) conv.output.channels = pick(random, 1, 40);
  return conv.output.height > 0 && conv.output.width > 0;
}

void choose_arithmetic(Random& random, Conv& conv) {
  using Kind = softdpu::Activation::Kind;
  const Kind kinds[] = {Kind::none, Kind::relu, Kind::relu6, Kind::leaky_relu};
  conv.activation.kind = kinds[pick(random, 0, 3)];
  conv.activation.clip_at_96 = conv.activation.kind == Kind::relu6 && chance(random, 0.5);
  conv.shift_cut = chance(random, 0.2) ? pick(random, -10, 24) : pick(random, 0, 14);
  conv.shift_bias = pick(random, -9, 12);
  const auto area = static_cast<std::size_t>(conv.window.kernel_h * conv.window.kernel_w);
  const auto per_pixel = static_cast<std::size_t>(conv.depthwise ? 1 : conv.output.channels);
  conv.weights = std::make_shared<std::vector<std::int8_t>>(
      random_bytes(random, area * per_pixel * static_cast<std::size_t>(conv.input.channels)));
  if (chance(random, 0.8)) {
    conv.bias = std::make_shared<std::vector<std::int8_t>>(
        random_bytes(random, static_cast<std::size_t>(conv.output.channels)));
  }
}

}  // namespace

softdpu::Int8Data smaller(std::vector<std::int8_t> weights, int shift) {
  for (auto& weight : weights) weight = static_cast<std::int8_t>(weight >> shift);
  return std::make_shared<const std::vector<std::int8_t>>(std::move(weights));
}

Conv random_conv(Random& random) {
  Conv conv;
  do {
    conv = Conv{};
    conv.transposed = chance(random, 0.25);
    conv.depthwise = chance(random, 0.25);
    choose_window(random, conv);
  } while (!choose_extents(random, conv));
  choose_arithmetic(random, conv);
  return conv;
}

Conv same_conv(Random& random, const softdpu::Extents& input, int channels) {
  Conv conv;
  conv.window.kernel_h = conv.window.kernel_w = 3;
  conv.window.pad_top = conv.window.pad_bottom = conv.window.pad_left = conv.window.pad_right = 1;
  conv.input = conv.output = input;
  conv.output.channels = channels;
  choose_arithmetic(random, conv);
  return conv;
}

std::string describe(const Conv& conv) {
  const auto& window = conv.window;
  std::ostringstream text;
  text << (conv.transposed ? "transposed " : "") << (conv.depthwise ? "depthwise " : "") << conv.input.height << "x"
       << conv.input.width << "x" << conv.input.channels << " -> " << conv.output.height << "x" << conv.output.width
       << "x" << conv.output.channels << ", kernel " << window.kernel_h << "x" << window.kernel_w << ", stride "
       << window.stride_h << "x" << window.stride_w << ", dilation " << window.dilation_h << "x" << window.dilation_w
       << ", pads " << window.pad_top << " " << window.pad_bottom << " " << window.pad_left << " " << window.pad_right
       << ", shifts " << conv.shift_bias << " " << conv.shift_cut << ", activation "
       << static_cast<int>(conv.activation.kind) << (conv.activation.clip_at_96 ? " clipped" : "") << ", seed "
       << seed_of_run();
  return text.str();
}

}  // namespace nerone::test
