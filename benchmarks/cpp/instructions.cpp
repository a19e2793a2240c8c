// How many instructions the generated kernels execute, and how many of them are dot products (valgrind knows no
// AVX-512). Without arguments: the layers where the paper's networks spend most of their time, eight rows of each.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "instruction_counter.hpp"
#include "softdpu/jit/conv_kernel.hpp"
#include "softdpu/jit/conv_weights.hpp"
#include "softdpu/jit/engine.hpp"
#include "softdpu/jit/upsampled_conv.hpp"

namespace nerone::softdpu::jit {
namespace {

struct Layer {
  const char* name;
  int height, width, inputs, outputs, kernel;
};

Conv conv_of(const Layer& layer) {
  Conv conv;
  conv.window.kernel_h = conv.window.kernel_w = layer.kernel;
  const int pad = layer.kernel / 2;
  conv.window.pad_top = conv.window.pad_bottom = conv.window.pad_left = conv.window.pad_right = pad;
  conv.input = {1, layer.height, layer.width, layer.inputs};
  conv.output = {1, layer.height, layer.width, layer.outputs};
  const auto count = static_cast<std::size_t>(layer.kernel * layer.kernel * layer.inputs * layer.outputs);
  conv.weights = std::make_shared<std::vector<std::int8_t>>(count, std::int8_t{1});
  conv.activation.kind = Activation::Kind::relu;
  conv.shift_cut = 7;
  return conv;
}

Image image_of(const Layout& layout) {
  return {nullptr, layout.height, layout.width, layout.groups, layout.row_bytes(), layout.pitch};
}

// Returns whether it could be counted.
template <typename Run>
bool report(const char* name, const std::string& kernel, std::int64_t macs, const Run& run) {
  run();
  const auto found = benchmarks::count_instructions(run);
  if (!found) {
    std::fprintf(stderr, "this system lets no process be traced, so that nothing can be counted\n");
    return false;
  }
  const auto instructions = static_cast<double>(found->instructions);
  std::printf("%-46s %s: %8ld instructions, %8ld of them dot products (%.1f %%); %.1f MAC each\n", name, kernel.c_str(),
              found->instructions, found->dot_products, 100.0 * static_cast<double>(found->dot_products) / instructions,
              static_cast<double>(macs) / instructions);
  return true;
}

bool report_conv(const Layer& layer) {
  const auto conv = conv_of(layer);
  const auto grids = *grids_of(conv);
  const Layout in(layer.height, layer.width, divide_up(layer.inputs, group_channels), pads_of(grids, conv.input));
  const Layout out(layer.height, layer.width, divide_up(layer.outputs, group_channels), {1, 1, 1});
  AlignedBuffer from(in.size_bytes()), to(out.size_bytes());
  const auto requantization = *requantization_of(conv);
  ConvShape shape;
  shape.grid = grids[0];
  shape.input_groups = in.groups;
  shape.channels = layer.outputs;
  shape.input = {in.row_bytes(), in.pitch};
  shape.output = {out.row_bytes(), out.pitch};
  shape.requantize = requantization.rule;
  const auto tile = choose_tile(shape);
  const auto weights = pack_weights(conv, shape, tile, dense_channels(layer.inputs), requantization);
  const ConvKernel kernel(shape, tile);
  const auto name =
      "tile " + std::to_string(tile.channels) + "x" + std::to_string(tile.rows) + "x" + std::to_string(tile.blocks);
  return report(layer.name, name, conv.macs(), [&] {
    kernel({from.data() + in.origin(), to.data() + out.origin(), weights.weights.data(), weights.bias.data(), nullptr});
  });
}

// A 3x3 convolution of `enlarged` channels of half the size, repeated to 2x2, and of the layer's inputs beside them.
bool report_upsampled(const Layer& layer, int enlarged) {
  auto whole = layer;
  whole.inputs += enlarged;
  const auto conv = conv_of(whole);
  if (!can_read_upsampled(conv)) {
    std::fprintf(stderr, "%s: height and width are to be even, the kernel 3\n", layer.name);
    return false;
  }
  const Layout small(layer.height / 2, layer.width / 2, divide_up(enlarged, group_channels), {});
  const Layout large(layer.height, layer.width, divide_up(layer.inputs, group_channels),
                     pads_of(*grids_of(conv), conv.input));
  const Layout out(layer.height, layer.width, divide_up(layer.outputs, group_channels), {1, 1, 1});
  auto beside = dense_channels(layer.inputs);
  for (auto& channel : beside) channel += channel < 0 ? 0 : enlarged;
  const UpsampledConv kernel(conv, {image_of(small), image_of(large), image_of(out)},
                             {dense_channels(enlarged), std::move(beside), {}, {}});
  AlignedBuffer from(small.size_bytes()), others(large.size_bytes()), to(out.size_bytes());
  AlignedBuffer scratch(kernel.scratch_bytes());
  return report(layer.name, kernel.name(), kernel.macs(), [&] {
    kernel(from.data() + small.origin(), others.data() + large.origin(), to.data() + out.origin(), scratch.data());
  });
}

bool report_paper_layers() {
  return report_conv({"U-Net decoder1_conv1, 256 24->16", 8, 256, 24, 16, 3}) &&
         report_conv({"U-Net decoder2_conv1, 128 48->32", 8, 128, 48, 32, 3}) &&
         report_conv({"MobileNetV2 decoder3_conv1, 120 48->32", 8, 120, 48, 32, 3}) &&
         report_upsampled({"MobileNetV2 decoder3_conv1, 120 48 up + 48->32", 8, 120, 48, 32, 3}, 48) &&
         report_conv({"MobileNetV2 expansion, 60 8->48", 8, 60, 8, 48, 1});
}

constexpr const char* usage =
    "bench_instructions [HEIGHT WIDTH INPUTS OUTPUTS KERNEL [ENLARGED]]: positive numbers; with ENLARGED so many more "
    "channels of half the size\n";

}  // namespace
}  // namespace nerone::softdpu::jit

int main(int count, char** words) {
  using namespace nerone::softdpu::jit;
  if (!is_supported()) {
    std::fprintf(stderr, "this processor has no AVX-512 VNNI\n");
    return 2;
  }
  if (count == 1) return report_paper_layers() ? 0 : 2;
  std::vector<int> sizes;
  for (int i = 1; i < count; ++i) sizes.push_back(std::atoi(words[i]));
  const bool good = std::all_of(sizes.begin(), sizes.end(), [](int size) { return size > 0; });
  if (!good || sizes.size() < 5 || sizes.size() > 6 || sizes[4] % 2 == 0) {
    std::fputs(usage, stderr);
    return 2;
  }
  const Layer layer{"layer", sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]};
  return (sizes.size() == 6 ? report_upsampled(layer, sizes[5]) : report_conv(layer)) ? 0 : 2;
}
