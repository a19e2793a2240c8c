// What a plan costs: time, memory of a runner, and nothing while it runs.

#include <gtest/gtest.h>

#include <ctime>
#include <tuple>

#include "../allocations.hpp"
#include "isas.hpp"
#include "random_conv.hpp"
#include "softdpu/jit/engine.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NERONE_SANITIZED
#endif

namespace nerone::softdpu::jit {
namespace {

// The U-Net of 8 to 128 filters on 256x256 pixels; its upsampling is a nearest one, or a transposed convolution.
class UNet {
 public:
  explicit UNet(bool transposed) : random_(test::seed_of_run()), transposed_(transposed) {
    auto last = add_value({1, 256, 256, 1});
    program_.inputs = {last};
    std::vector<std::size_t> skips;
    for (int level = 0; level < 5; ++level) {
      for (int i = 0; i < 2; ++i) last = add_conv(last, 8 << level);
      if (level == 4) break;
      skips.push_back(last);
      last = add_pool(last);
    }
    for (int level = 3; level >= 0; --level) {
      last = transposed_ ? add_transposed(last, 8 << level) : add_upsample(last);
      last = add_concat(last, skips[static_cast<std::size_t>(level)]);
      for (int i = 0; i < 2; ++i) last = add_conv(last, 8 << level);
    }
    program_.outputs = {add_conv(last, 6)};
  }

  const Program& program() const { return program_; }

  // The most that a step reads and writes.
  std::size_t largest_pair() const {
    std::size_t largest = 0;
    for (const auto& step : program_.steps) {
      std::size_t bytes = program_.values[step.output].size_bytes();
      for (const auto input : step.inputs) bytes += program_.values[input].size_bytes();
      largest = std::max(largest, bytes);
    }
    return largest;
  }

 private:
  std::size_t add_value(const Shape& shape) {
    program_.values.push_back({"value" + std::to_string(program_.values.size()), shape, DType::int8, 4, nullptr});
    return program_.values.size() - 1;
  }
  Extents extents(std::size_t value) const {
    const auto& shape = program_.values[value].shape;
    return {shape[0], shape[1], shape[2], shape[3]};
  }
  std::size_t push(Operation operation, std::vector<std::size_t> inputs, const Extents& out) {
    const auto output = add_value({out.batch, out.height, out.width, out.channels});
    program_.steps.push_back({program_.values[output].name, std::move(operation), std::move(inputs), output});
    return output;
  }
  std::size_t add_conv(std::size_t from, int channels) {
    auto conv = test::same_conv(random_, extents(from), channels);
    conv.activation = {};
    conv.activation.kind = Activation::Kind::relu;
    conv.shift_cut = 9;
    conv.shift_bias = 2;
    return push(conv, {from}, conv.output);
  }
  std::size_t add_transposed(std::size_t from, int channels) {
    auto conv = test::same_conv(random_, extents(from), channels);
    conv.transposed = true;
    conv.window.stride_h = conv.window.stride_w = 2;
    conv.window.pad_bottom = conv.window.pad_right = 0;
    conv.output.height *= 2;
    conv.output.width *= 2;
    conv.activation = {};
    conv.shift_cut = 9;
    conv.shift_bias = 2;
    return push(conv, {from}, conv.output);
  }
  std::size_t add_pool(std::size_t from) {
    Pool pool;
    pool.window.kernel_h = pool.window.kernel_w = pool.window.stride_h = pool.window.stride_w = 2;
    pool.input = pool.output = extents(from);
    pool.output.height /= 2;
    pool.output.width /= 2;
    return push(pool, {from}, pool.output);
  }
  std::size_t add_upsample(std::size_t from) {
    Upsample upsample;
    upsample.input = upsample.output = extents(from);
    upsample.output.height *= 2;
    upsample.output.width *= 2;
    for (std::int64_t i = 0; i < upsample.output.height; ++i) upsample.rows.push_back({i / 2, i / 2, 0.0F});
    for (std::int64_t i = 0; i < upsample.output.width; ++i) upsample.columns.push_back({i / 2, i / 2, 0.0F});
    return push(upsample, {from}, upsample.output);
  }
  std::size_t add_concat(std::size_t first, std::size_t second) {
    Concat concat;
    auto out = extents(first);
    concat.axis = 3;
    concat.outer = out.height * out.width;
    concat.input_blocks = {out.channels, extents(second).channels};
    concat.shifts = {0, 0};
    out.channels += extents(second).channels;
    concat.output_block = out.channels;
    return push(concat, {first, second}, out);
  }

  test::Random random_;
  bool transposed_;
  Program program_;
};

// An instruction set, and whether the upsampling is a transposed convolution.
class Plan : public ::testing::TestWithParam<std::tuple<Isa, bool>> {
 protected:
  void SetUp() override {
    if (!is_supported(isa())) GTEST_SKIP() << "this processor has no " << name_of(isa());
  }
  static Isa isa() { return std::get<0>(GetParam()); }
  static bool transposed() { return std::get<1>(GetParam()); }
};

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

TEST_P(Plan, IsMadeInLessThanAFifthOfASecond) {
#ifdef NERONE_SANITIZED
  GTEST_SKIP() << "sanitizers slow planning down";
#endif
  const UNet net(transposed());
  // Processor time, the best of three: what a machine without other work takes.
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double before = cpu_seconds();
    const JitEngine engine(isa(), net.program(), make_portable_kernel);
    best = std::min(best, cpu_seconds() - before);
  }
  EXPECT_LT(best, 0.2);
}

TEST_P(Plan, TakesAtMostTwiceTheLargestPairOfTensors) {
  const UNet net(transposed());
  const JitEngine engine(isa(), net.program(), make_portable_kernel);
  EXPECT_LE(engine.arena_bytes(), 2 * net.largest_pair());
}

TEST_P(Plan, AllocatesNothingWhileItRuns) {
  const UNet net(transposed());
  const JitEngine engine(isa(), net.program(), make_portable_kernel);
  const auto context = engine.make_context();
  const std::vector<std::int8_t> input(256 * 256, 3);
  std::vector<std::int8_t> output(256 * 256 * 6);
  const void* const from = input.data();
  void* const to = output.data();
  const auto before = softdpu::testing::allocations();
  engine.run(*context, &from, &to);
  EXPECT_EQ(softdpu::testing::allocations() - before, 0);
}

TEST_P(Plan, MultipliesBeforeItRepeatsPixels) {
  const UNet net(transposed());
  const JitEngine engine(isa(), net.program(), make_portable_kernel);
  std::int64_t macs = 0, computed = 0, upsampled = 0;
  for (const auto& step : engine.steps()) {
    // Winograd's 16 products of 36; the sizes are even.
    const bool is_winograd = step.kernel.find("winograd") != std::string::npos;
    macs += is_winograd ? step.macs * 16 / 36 : step.macs;
    computed += step.computed_macs;
    upsampled += step.kind == "upsampled conv 3x3" ? 1 : 0;
    EXPECT_NE(step.kind, "upsample");
  }
  EXPECT_EQ(upsampled, transposed() ? 0 : 4);
  if (transposed()) {
    EXPECT_EQ(computed, macs);
  } else {
    // 9 of 36 multiplications are left for two thirds of what the first convolution of each level reads.
    EXPECT_LT(computed, macs * 3 / 4);
  }
}

INSTANTIATE_TEST_SUITE_P(
    UNet, Plan, ::testing::Combine(::testing::Values(Isa::avx512_vnni, Isa::avx_vnni, Isa::avx2), ::testing::Bool()),
    [](const auto& chosen) {
      return test::test_name_of(std::get<0>(chosen.param)) + (std::get<1>(chosen.param) ? "_transposed" : "_upsampled");
    });

}  // namespace
}  // namespace nerone::softdpu::jit
