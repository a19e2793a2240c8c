// How many instructions the generated kernels execute, and how many of them are dot products: counted by stepping
// through them one by one (valgrind knows no AVX-512). Without arguments: the layers where the paper's networks spend
// most of their time, eight rows of each. Or one layer: HEIGHT WIDTH INPUTS OUTPUTS KERNEL.

#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "softdpu/jit/conv_kernel.hpp"
#include "softdpu/jit/conv_weights.hpp"
#include "softdpu/jit/engine.hpp"

namespace nerone::softdpu::jit {
namespace {

struct Layer {
  const char* name;
  int height, width, inputs, outputs, kernel;
};

struct Counts {
  long instructions = 0, dots = 0;
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

// EVEX.0F38.50: vpdpbusd.
bool is_dot(long code) {
  unsigned char bytes[sizeof code];
  std::memcpy(bytes, &code, sizeof code);
  return bytes[0] == 0x62 && (bytes[1] & 7) == 2 && bytes[4] == 0x50;
}

// Between the two stops of a child that runs `work`.
template <typename Work>
Counts count(const Work& work) {
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    work();
    raise(SIGSTOP);
    _exit(0);
  }
  Counts counts;
  int status = 0;
  waitpid(child, &status, 0);
  if (child < 0 || !WIFSTOPPED(status)) return counts;
  for (;;) {
    if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) break;
    waitpid(child, &status, 0);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) break;
    user_regs_struct registers{};
    ptrace(PTRACE_GETREGS, child, nullptr, &registers);
    ++counts.instructions;
    errno = 0;
    const long code = ptrace(PTRACE_PEEKTEXT, child, registers.rip, nullptr);
    if (errno == 0 && is_dot(code)) ++counts.dots;
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return counts;
}

void report(const Layer& layer) {
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
  const auto run = [&] {
    kernel({from.data() + in.origin(), to.data() + out.origin(), weights.weights.data(), weights.bias.data(), nullptr});
  };
  run();
  // What the two stops themselves take.
  const auto empty = count([] {});
  const auto found = count(run);
  const long instructions = found.instructions - empty.instructions;
  const auto macs = static_cast<double>(conv.macs());
  std::printf("%-34s tile %dx%dx%d: %8ld instructions, %8ld of them dot products (%.1f %%); %.1f MAC each\n",
              layer.name, tile.channels, tile.rows, tile.blocks, instructions, found.dots,
              100.0 * static_cast<double>(found.dots) / static_cast<double>(instructions),
              macs / static_cast<double>(instructions));
}

}  // namespace
}  // namespace nerone::softdpu::jit

int main(int count, char** words) {
  using namespace nerone::softdpu::jit;
  if (!is_supported()) {
    std::fprintf(stderr, "this processor has no AVX-512 VNNI\n");
    return 2;
  }
  if (count == 6) {
    int sizes[5];
    for (int i = 0; i < 5; ++i) sizes[i] = std::atoi(words[i + 1]);
    report({"layer", sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]});
    return 0;
  }
  report({"U-Net decoder1_conv1, 256 24->16", 8, 256, 24, 16, 3});
  report({"U-Net decoder2_conv1, 128 48->32", 8, 128, 48, 32, 3});
  report({"MobileNetV2 decoder3_conv1, 120 48->32", 8, 120, 48, 32, 3});
  report({"MobileNetV2 expansion, 60 8->48", 8, 60, 8, 48, 1});
  return 0;
}
