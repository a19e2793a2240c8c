#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "run_op.hpp"

namespace nerone::cpu::testing {
namespace {

struct Sizes {
  int kernel = 1, stride = 1, dilation = 1, before = 0, after = 0;  // along one axis

  int reach() const { return (kernel - 1) * dilation; }
  int output_of(int extent) const { return (extent + before + after - reach() - 1) / stride + 1; }
  int transposed_output_of(int extent) const { return (extent - 1) * stride + reach() + 1 - before - after; }
};

struct Case {
  Sizes x, y;
  Array input, weights, bias;
  Dims output;

  xmodel::Attrs attrs() const {
    return {{"kernel", Dims{x.kernel, y.kernel}},
            {"stride", Dims{x.stride, y.stride}},
            {"dilation", Dims{x.dilation, y.dilation}},
            {"pad", Dims{x.before, x.after, y.before, y.after}}};
  }
  std::vector<std::pair<std::string, Array>> inputs() const {
    return {{"bias", bias}, {"input", input}, {"weights", weights}};
  }
  std::size_t index(std::int64_t n, std::int64_t oy, std::int64_t ox, std::int64_t c) const {
    return static_cast<std::size_t>(((n * output[1] + oy) * output[2] + ox) * output[3] + c);
  }
  bool holds(std::int64_t oy, std::int64_t ox) const { return oy >= 0 && ox >= 0 && oy < output[1] && ox < output[2]; }
};

Sizes random_sizes(Random& random, bool transposed) {
  Sizes sizes{pick(random, 1, 4), pick(random, 1, 3), transposed ? 1 : pick(random, 1, 2), 0, 0};
  sizes.before = pick(random, 0, sizes.reach());
  sizes.after = pick(random, 0, sizes.reach());
  return sizes;
}

Case random_case(Random& random, bool depthwise, bool transposed) {
  for (;;) {
    Case one{random_sizes(random, transposed), random_sizes(random, transposed), {}, {}, {}, {}};
    one.input = random_array(random, {pick(random, 1, 2), pick(random, 1, 9), pick(random, 1, 9), pick(random, 1, 5)});
    const int h = one.input.shape[1], w = one.input.shape[2], c = one.input.shape[3];
    const int filters = pick(random, 1, depthwise ? 2 : 6);
    one.output = {one.input.shape[0], transposed ? one.y.transposed_output_of(h) : one.y.output_of(h),
                  transposed ? one.x.transposed_output_of(w) : one.x.output_of(w), depthwise ? filters * c : filters};
    const bool covered = transposed || (h + one.y.before + one.y.after > one.y.reach() &&
                                        w + one.x.before + one.x.after > one.x.reach());
    if (!covered || one.output[1] < 1 || one.output[2] < 1) continue;
    one.weights = random_array(random, {filters, one.y.kernel, one.x.kernel, c});
    one.bias = random_array(random, {one.output[3]});
    return one;
  }
}

// Every input pixel is added to every output pixel that it reaches: the other way round than the kernels go.
Floats scattered(const Case& one, bool depthwise, bool transposed) {
  Floats sums(count_of(one.output));
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = one.bias.values[i % one.bias.values.size()];
  const auto& shape = one.input.shape;
  const auto reached = [&](const Sizes& sizes, int i, int k) {
    if (transposed) return i * sizes.stride - sizes.before + (sizes.kernel - 1 - k) * sizes.dilation;
    const int distance = i + sizes.before - k * sizes.dilation;
    return distance >= 0 && distance % sizes.stride == 0 ? distance / sizes.stride : -1;
  };
  for (int n = 0; n < shape[0]; ++n) {
    for (int iy = 0; iy < shape[1]; ++iy) {
      for (int ix = 0; ix < shape[2]; ++ix) {
        for (int ky = 0; ky < one.y.kernel; ++ky) {
          for (int kx = 0; kx < one.x.kernel; ++kx) {
            const int oy = reached(one.y, iy, ky), ox = reached(one.x, ix, kx);
            if (!one.holds(oy, ox)) continue;
            for (int filter = 0; filter < one.weights.shape[0]; ++filter) {
              for (int c = 0; c < shape[3]; ++c) {
                const int to = depthwise ? c * one.weights.shape[0] + filter : filter;
                sums[one.index(n, oy, ox, to)] += one.input.at(n, iy, ix, c) * one.weights.at(filter, ky, kx, c);
              }
            }
          }
        }
      }
    }
  }
  return sums;
}

struct Kind {
  const char* type;
  bool depthwise, transposed;
};

class Convolution : public ::testing::TestWithParam<Kind> {};

TEST_P(Convolution, AddsEveryPixelToTheOutputsItReaches) {
  Random random(seed_of_run());
  const auto kind = GetParam();
  for (int i = 0; i < 100 && !HasFailure(); ++i) {
    const auto one = random_case(random, kind.depthwise, kind.transposed);
    EXPECT_EQ(run_op(kind.type, one.attrs(), one.inputs(), one.output), scattered(one, kind.depthwise, kind.transposed))
        << "case " << i << ", seed " << seed_of_run();
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, Convolution,
                         ::testing::Values(Kind{"conv2d", false, false}, Kind{"depthwise-conv2d", true, false},
                                           Kind{"transposed-conv2d", false, true},
                                           Kind{"transposed-depthwise-conv2d", true, true}),
                         [](const auto& chosen) {
                           std::string name = chosen.param.type;
                           name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
                           return name;
                         });

TEST(Pool, LooksAtTheWindowsPixels) {
  Random random(seed_of_run());
  for (int i = 0; i < 100 && !HasFailure(); ++i) {
    auto one = random_case(random, false, false);
    one.x.dilation = one.y.dilation = 1;
    // Every window holds a pixel at least.
    one.x.before = std::min(one.x.before, one.x.kernel - 1), one.y.before = std::min(one.y.before, one.y.kernel - 1);
    one.x.after = one.y.after = 0;
    if (one.input.shape[1] < one.y.kernel || one.input.shape[2] < one.x.kernel) continue;
    one.output = {one.input.shape[0], one.y.output_of(one.input.shape[1]), one.x.output_of(one.input.shape[2]),
                  one.input.shape[3]};
    Floats most(count_of(one.output), std::numeric_limits<float>::lowest()), sum(most.size(), 0.0F);
    for (int n = 0; n < one.output[0]; ++n) {
      for (int oy = 0; oy < one.output[1]; ++oy) {
        for (int ox = 0; ox < one.output[2]; ++ox) {
          for (int k = 0; k < one.y.kernel * one.x.kernel; ++k) {
            const int iy = oy * one.y.stride - one.y.before + k / one.x.kernel;
            const int ix = ox * one.x.stride - one.x.before + k % one.x.kernel;
            if (iy < 0 || ix < 0 || iy >= one.input.shape[1] || ix >= one.input.shape[2]) continue;
            for (int c = 0; c < one.output[3]; ++c) {
              auto& largest = most[one.index(n, oy, ox, c)];
              largest = std::max(largest, one.input.at(n, iy, ix, c));
              sum[one.index(n, oy, ox, c)] += one.input.at(n, iy, ix, c);
            }
          }
        }
      }
    }
    const std::string where = "case " + std::to_string(i) + ", seed " + std::to_string(seed_of_run());
    EXPECT_EQ(run_op("maxpool2d", one.attrs(), {{"input", one.input}}, one.output), most) << where;
    for (auto& value : sum) value /= static_cast<float>(one.x.kernel * one.y.kernel);
    EXPECT_EQ(run_op("avgpool2d", one.attrs(), {{"input", one.input}}, one.output), sum) << where;
  }
}

}  // namespace
}  // namespace nerone::cpu::testing
