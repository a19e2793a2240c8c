// What the software DPU does not run is refused in one sentence that names the op.

#include <gtest/gtest.h>

#include <nerone/error.hpp>

#include "graph_builder.hpp"

namespace nerone::softdpu::testing {
namespace {

using Text = std::string;

void expect_refused(const xmodel::Graph& graph, const Text& op, const Text& reason) {
  try {
    make_engine(graph);
    FAIL() << "not refused: " << reason;
  } catch (const ModelError& error) {
    const Text message = error.what();
    EXPECT_NE(message.find("'" + op + "'"), Text::npos) << message;
    EXPECT_NE(message.find(reason), Text::npos) << message;
    EXPECT_EQ(message.find('\n'), Text::npos) << message;
  }
}

struct Network {
  GraphBuilder build;
  std::size_t x = build.input("x", {1, 4, 4, 2}, 4);
  std::size_t y = build.conv("y", x, {1, 4, 4, 3}, 4, {1, 1}, Bytes8(6, 1), 4);

  xmodel::Op& conv() { return build.graph.ops[y]; }
};

TEST(Refusal, NamesWhatIsWrongWithAConvolution) {
  const auto with = [](auto change, const Text& reason) {
    Network network;
    change(network);
    expect_refused(network.build.graph, "y", reason);
  };
  with([](Network& n) { n.conv().attrs["nonlinear"] = Text("PRELU"); }, "nonlinear 'PRELU' is not supported");
  with([](Network& n) { n.conv().attrs["nonlinear"] = Text("HSIGMOID"); }, "hsigmoid_in");
  with([](Network& n) { n.conv().attrs["nonlinear"] = std::int32_t{3}; }, "must be a string");
  with([](Network& n) { n.conv().attrs.erase("kernel"); }, "'kernel' is missing");
  with([](Network& n) { n.conv().attrs["kernel"] = Dims{1}; }, "has 1 values, expected 2");
  with([](Network& n) { n.conv().attrs["stride"] = Dims{0, 1}; }, "'stride' holds 0");
  with([](Network& n) { n.conv().attrs["pad"] = Dims{0, 0, -1, 0}; }, "'pad' holds -1");
  with([](Network& n) { n.conv().attrs["pad"] = Dims{1, 1, 1, 1}; }, "its attributes give (1, 6, 6, 3)");
  with([](Network& n) { n.conv().output.attrs.erase("fix_point"); }, "no fix point");
  with([](Network& n) { n.conv().output.attrs["fix_point"] = std::int32_t{1000}; }, "fix point 1000");
  with([](Network& n) { n.conv().output.data_type = "XINT16"; }, "data type XINT16");
  with([](Network& n) { n.conv().inputs.erase("weights"); }, "has no weights");
  with([](Network& n) { n.conv().inputs["weights"] = {n.x}; }, "weights must be a constant");
  with([](Network& n) { n.conv().type = "conv3d-fix"; }, "does not know this op");
  with([](Network& n) { n.conv().output.shape = {1, 4, 0, 3}; }, "extent of 0");
  with([](Network& n) { n.conv().output.shape = {1 << 20, 1 << 20, 4, 3}; }, "too large");
}

TEST(Refusal, NamesAConstantWithoutItsData) {
  Network network;
  network.build.graph.ops[network.y - 1].attrs["data"] = xmodel::Bytes(5);
  expect_refused(network.build.graph, "y_w", "holds 5 bytes");
}

TEST(Refusal, NamesOtherOps) {
  const auto with = [](const Text& type, const xmodel::Attrs& attrs, Dims shape, int fix_point, const Text& reason) {
    GraphBuilder build;
    const auto x = build.input("x", {1, 4, 4, 2}, 4);
    build.op(type, "z", std::move(shape), fix_point, attrs, {{"input", {x}}});
    expect_refused(build.graph, "z", reason);
  };
  const Dims same{1, 4, 4, 2};
  with("pool-fix", {{"kernel", Dims{2, 2}}, {"type", Text("MIN")}}, {1, 3, 3, 2}, 4, "type 'MIN'");
  with("eltwise-fix", {{"type", Text("DIV")}}, same, 4, "type 'DIV'");
  with("concat-fix", {{"axis", std::int32_t{9}}}, same, 4, "axis 9");
  with("concat-fix", {{"axis", std::int32_t{3}}}, {1, 4, 4, 5}, 4, "do not add up");
  with("upsample-fix", {{"scale", std::vector<float>{2, 2}}, {"mode", Text("CUBIC")}}, {1, 8, 8, 2}, 4, "mode 'CUBIC'");
  with("upsample-fix", {{"scale", std::vector<float>{2, 2}}, {"mode", Text("NEAREST")}}, {1, 7, 8, 2}, 4, "scale");
  with("downsample-fix", {{"scale", std::vector<float>{1.5F, 2}}}, {1, 2, 2, 2}, 4, "scale 1.5");
  with("pad-fix", {{"paddings", Dims{0, 0, 4, 0, 0, 0, 0, 0}}, {"mode", Text("REFLECT")}}, {1, 8, 4, 2}, 4, "mirror");
  with("tile-fix", {{"stride", std::int32_t{3}}, {"reverse", true}}, {1, 12, 12, 1}, 4, "stride 3 cannot become");
  with("tile-fix", {{"stride", std::int32_t{0}}, {"reverse", false}}, same, 4, "stride 0");
  with("tile-fix", {{"stride", std::int32_t{2}}, {"reverse", false}}, {1, 2, 2, 8}, 5, "fix point 4 cannot become 5");
  with("reduction_max", {{"axis", Dims{3}}, {"keep_dims", true}}, {1, 4, 4, 1}, 4, "rows and columns");
  with("reduction_max", {{"axis", Dims{1}}, {"keep_dims", true}}, {1, 4, 2}, 4, "its attributes give (1, 1, 4, 2)");
  with("reshape-fix", {}, {1, 5, 4, 2}, 4, "cannot become");
  with("reshape-fix", {}, same, 5, "fix point 4 cannot become 5");
  with("float2fix", {}, same, 4, "expected float32");
}

TEST(Refusal, NamesAMissingOutput) {
  Network network;
  EngineOptions options;
  options.outputs = {"nothing"};
  EXPECT_THROW(make_engine(network.build.graph, options), ModelError);
}

TEST(Refusal, NamesUnknownKernels) {
  EXPECT_THROW(kernels_from("fast"), ConfigurationError);
  for (const auto kernels : engines()) EXPECT_EQ(kernels_from(name_of(kernels)), kernels);
}

}  // namespace
}  // namespace nerone::softdpu::testing
