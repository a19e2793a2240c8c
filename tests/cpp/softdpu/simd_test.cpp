// The portable loops on every instruction set of this processor, against the reference.

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include "graph_builder.hpp"

namespace nerone::softdpu::testing {
namespace {

xmodel::Graph convolution(const std::string& type, int channels, int filters, Dims kernel, Dims stride, int width,
                          const std::string& nonlinear) {
  GraphBuilder build;
  const bool depthwise = type.find("depthwise") != std::string::npos, transposed = type[0] == 't';
  const auto x = build.input("x", {1, 5, width, channels}, 4);
  const auto count = depthwise ? 1 : filters;
  const auto size = static_cast<std::size_t>(count * kernel[0] * kernel[1] * channels);
  const auto w = build.constant("w", {count, kernel[1], kernel[0], channels}, 7, random_bytes(size, 3));
  const auto outputs = depthwise ? channels : filters;
  const auto b = build.constant("b", {outputs}, 6, random_bytes(static_cast<std::size_t>(outputs), 4));
  const auto extent = [&](int in, int axis) {
    return transposed ? (in - 1) * stride[axis] + kernel[axis] : (in - kernel[axis]) / stride[axis] + 1;
  };
  build.op(type, "y", {1, extent(5, 1), extent(width, 0), outputs}, 3,
           {{"kernel", kernel}, {"stride", stride}, {"nonlinear", nonlinear}},
           {{"input", {x}}, {"weights", {w}}, {"bias", {b}}});
  return build.graph;
}

TEST(Simd, EveryTargetEqualsTheReference) {
  for (const auto target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    for (const std::string type :
         {"conv2d-fix", "depthwise-conv2d-fix", "transposed-conv2d-fix", "transposed-depthwise-conv2d-fix"}) {
      for (const int channels : {1, 2, 7, 16, 33}) {
        for (const int width : {3, 4, 9, 75}) {
          for (const std::string nonlinear : {"NONE", "RELU", "LEAKYRELU"}) {
            const auto graph = convolution(type, channels, channels == 7 ? 40 : 5, {3, 2}, {2, 1}, width, nonlinear);
            const auto x = random_bytes(static_cast<std::size_t>(5 * width * channels), 8);
            ASSERT_EQ(run(graph, Kernels::portable, {x}), run(graph, Kernels::scalar, {x}))
                << hwy::TargetName(target) << ' ' << type << ' ' << channels << ' ' << width << ' ' << nonlinear;
          }
        }
      }
    }
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace
}  // namespace nerone::softdpu::testing
