// Every rule of the validator, each with a file that breaks it and nothing else.

#include <gtest/gtest.h>

#include <functional>
#include <nerone/error.hpp>

#include "graphs.hpp"
#include "xmodel/encode.hpp"
#include "xmodel/handle.hpp"

namespace nerone::xmodel {
namespace {

using namespace testing;
using Ints = std::vector<std::int32_t>;

std::string refusal(const std::string& bytes, const Limits& limits = {}) {
  try {
    read_bytes(bytes.data(), bytes.size(), limits);
  } catch (const ModelError& error) {
    return error.what();
  }
  return "accepted";
}

std::string replaced(std::string bytes, const std::string& from, const std::string& to, bool last = false) {
  const auto at = last ? bytes.rfind(from) : bytes.find(from);
  EXPECT_NE(at, std::string::npos);
  return bytes.replace(at, from.size(), to);
}

struct Rule {
  const char* name;
  std::function<void(Graph&)> breaks;
  const char* says;
};

void PrintTo(const Rule& rule, std::ostream* out) { *out << rule.name; }

std::string name_of_rule(const ::testing::TestParamInfo<Rule>& parameter) { return parameter.param.name; }

class GraphRule : public ::testing::TestWithParam<Rule> {};

TEST_P(GraphRule, IsNamed) {
  auto graph = compiled_graph();
  ASSERT_EQ(refusal(encode(graph)), "accepted");
  GetParam().breaks(graph);
  EXPECT_NE(refusal(encode(graph)).find(GetParam().says), std::string::npos) << refusal(encode(graph));
}

Attrs& conv(Graph& graph) { return graph.ops[3].attrs; }

const Rule op_rules[] = {
    {"NoName", [](Graph& g) { g.ops[3].name.clear(); }, "has no name"},
    {"NoType", [](Graph& g) { g.ops[3].type.clear(); }, "has no type"},
    {"LongName", [](Graph& g) { g.ops[3].name.assign(1025, 'x'); }, "more than 1024 bytes"},
    {"NameTwice", [](Graph& g) { g.ops[4].name = "conv"; }, "two ops have the name 'conv'"},
    {"NameNotUtf8", [](Graph& g) { g.ops[3].name = "\xFF"; }, "not UTF-8"},
    {"AttrNotUtf8", [](Graph& g) { conv(g)["x"] = std::string("\xC0"); }, "not UTF-8"},
    {"AttrMissing", [](Graph& g) { conv(g).erase("kernel"); }, "lacks attribute 'kernel'"},
    {"AttrType", [](Graph& g) { conv(g)["kernel"] = std::string("3"); }, "'kernel' of type text, expected int32s"},
    {"AttrWidth",
     [](Graph& g) {
       conv(g)["kernel"] = std::vector<std::int64_t>{3, 3};
     },
     "of type int64s"},
    {"AttrLength", [](Graph& g) { conv(g)["pad"] = Ints{1}; }, "has 1 numbers in attribute 'pad', expected 4"},
    {"StrideZero",
     [](Graph& g) {
       conv(g)["stride"] = Ints{1, 0};
     },
     "has 0 in attribute 'stride'"},
    {"DilationNegative",
     [](Graph& g) {
       conv(g)["dilation"] = Ints{1, -2};
     },
     "has -2 in attribute 'dilation'"},
    {"RoleMissing", [](Graph& g) { g.ops[3].inputs.erase("weights"); }, "has 0 inputs in the role 'weights'"},
    {"RoleTwice", [](Graph& g) { g.ops[3].inputs["weights"].push_back(1); }, "has 2 inputs in the role 'weights'"},
    {"RoleUnknown", [](Graph& g) { g.ops[3].inputs["colour"] = {1}; }, "input role 'colour'"},
    {"Cycle", [](Graph& g) { g.ops[3].inputs["input"] = {4}; }, "in a cycle"},
    {"OwnInput", [](Graph& g) { g.ops[3].inputs["input"] = {3}; }, "op 'conv' needs its own result"},
    {"TensorUnnamed", [](Graph& g) { g.ops[3].output.name.clear(); }, "without a proper name"},
    {"NoAxes", [](Graph& g) { g.ops[3].output.shape.clear(); }, "of 0 axes"},
    {"ManyAxes", [](Graph& g) { g.ops[3].output.shape.assign(17, 1); }, "of 17 axes"},
    {"ExtentZero", [](Graph& g) { g.ops[3].output.shape[1] = 0; }, "extent 0"},
    {"ExtentNegative", [](Graph& g) { g.ops[3].output.shape[1] = -4; }, "extent -4"},
    {"TooLarge",
     [](Graph& g) {
       g.ops[3].output.shape = {1 << 30, 1 << 30, 1 << 30};
     },
     "larger than"},
    {"DataType", [](Graph& g) { g.ops[3].output.data_type = "COLOUR8"; }, "of 0 bits, which is none of XIR's"},
    {"FixPoint", [](Graph& g) { g.ops[3].output.attrs["fix_point"] = std::int32_t{128}; }, "fix point 128"},
    {"FixPointType", [](Graph& g) { g.ops[3].output.attrs["fix_point"] = 1.0F; }, "'fix_point' has type float32"},
    {"DataSize", [](Graph& g) { g.ops[1].attrs["data"] = Bytes(35); }, "has 35 bytes of data, its shape needs 36"},
    {"DataTypeAttr", [](Graph& g) { g.ops[0].attrs["data_type"] = std::string("A1"); }, "'data_type' A1"},
    {"ShapeAttr",
     [](Graph& g) {
       g.ops[0].attrs["shape"] = Ints{1, -1};
     },
     "has -1 in attribute 'shape'"},
};
INSTANTIATE_TEST_SUITE_P(Ops, GraphRule, ::testing::ValuesIn(op_rules), name_of_rule);

Subgraph& dpu(Graph& graph) { return graph.root.children[1]; }

std::map<std::string, Bytes>& registers(Graph& graph) {
  return std::get<std::map<std::string, Bytes>>(dpu(graph).attrs["reg_id_to_parameter_value"]);
}

const Rule subgraph_rules[] = {
    {"OpInNone", [](Graph& g) { g.root.children.pop_back(); }, "do not hold every op"},
    {"OpInTwo",
     [](Graph& g) {
       g.root.children[0].ops = {0, 6};
     },
     "is in two subgraphs"},
    {"Empty",
     [](Graph& g) {
       g.root.children.push_back({"empty", {}, {}, {}});
     },
     "'empty' has no ops"},
    {"Unnamed", [](Graph& g) { g.root.children[0].name.clear(); }, "a subgraph has no name"},
    {"NameTwice", [](Graph& g) { g.root.children[0].name = "subgraph_cpu"; }, "two subgraphs have the name"},
    {"AttrNotUtf8",
     [](Graph& g) {
       dpu(g).attrs["runner"] = std::map<std::string, std::string>{{"r", "\xFF"}};
     },
     "not UTF-8"},
    {"Cycle",
     [](Graph& g) {
       g.root.children[0].ops = {0, 5};
       g.root.children[2].ops = {6};
     },
     "in a cycle"},
    {"InnerCycle",
     [](Graph& g) {
       dpu(g).children = {{"a", {}, {1, 4}, {}}, {"b", {}, {2, 3}, {}}};
     },
     "in a cycle"},
    {"RegisterTooSmall", [](Graph& g) { registers(g)["REG_0"].resize(43); }, "of 4 bytes at 40 does not fit"},
    {"RegisterAbsent", [](Graph& g) { registers(g).clear(); }, "lies in register REG_0"},
    {"AddressNegative", [](Graph& g) { g.ops[1].output.attrs["ddr_addr"] = std::int32_t{-1}; }, "at -1 does not fit"},
    {"AddressType", [](Graph& g) { g.ops[1].output.attrs["ddr_addr"] = 1.0F; }, "'ddr_addr' has type float32"},
    {"NoAddress", [](Graph& g) { g.ops[1].output.attrs.erase("ddr_addr"); }, "no place in a register"},
    {"DeviceType", [](Graph& g) { dpu(g).attrs["device"] = std::int32_t{1}; }, "'device' has type int32"},
};
INSTANTIATE_TEST_SUITE_P(Subgraphs, GraphRule, ::testing::ValuesIn(subgraph_rules), name_of_rule);

TEST(FileRule, ReferencedOpsExist) {
  const auto bytes = encode(compiled_graph());
  EXPECT_NE(refusal(replaced(bytes, "\x12\x07weights", "\x12\x07weightz")).find("refers to op 'weightz'"),
            std::string::npos);
  EXPECT_NE(refusal(replaced(bytes, "weights", "weightz", true)).find("subgraph 'subgraph_conv' refers to op"),
            std::string::npos);
}

TEST(FileRule, TruncationAtEveryByteIsRefusedOrHarmless) {
  const auto bytes = encode(compiled_graph());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto message = refusal(bytes.substr(0, size));
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
  EXPECT_NE(refusal("").find("it is empty"), std::string::npos);
  EXPECT_NE(refusal(bytes.substr(0, bytes.size() / 2)).find("runs past the end"), std::string::npos);
}

TEST(FileRule, DuplicatedPartsAreRefused) {
  const auto bytes = encode(compiled_graph());
  EXPECT_NE(refusal(bytes + bytes).find("two root subgraphs"), std::string::npos);
  const std::string op(
      "\x2A\x05\x0A\x03"
      "two",
      7);
  EXPECT_NE(refusal(bytes + op).find("op 'two' has no output tensor"), std::string::npos);
}

TEST(FileRule, LimitsHold) {
  const auto bytes = encode(compiled_graph());
  Limits limits;
  limits.max_ops = 3;
  EXPECT_NE(refusal(bytes, limits).find("more than 3 ops"), std::string::npos);
  limits = {};
  limits.max_items = 100;
  EXPECT_NE(refusal(bytes, limits).find("more elements"), std::string::npos);
  limits = {};
  limits.max_file_bytes = 10;
  EXPECT_NE(refusal(bytes, limits).find("too many bytes"), std::string::npos);
  limits = {};
  limits.max_tensor_bytes = 15;
  EXPECT_NE(refusal(bytes, limits).find("larger than 15 bytes"), std::string::npos);
  limits = {};
  limits.max_subgraph_depth = 1;
  EXPECT_NE(refusal(bytes, limits).find("nested deeper than 1"), std::string::npos);
}

TEST(FileRule, DeepNestingCannotExhaustTheStack) {
  std::string nest;
  for (int depth = 0; depth < 100'000 && nest.size() < 3'000'000; ++depth) {
    std::string length;
    for (auto left = nest.size();; left >>= 7) {
      length.push_back(static_cast<char>(left < 0x80 ? left : (left | 0x80)));
      if (left < 0x80) break;
    }
    if (depth > 3000) break;
    nest = "\x52" + length + nest;
  }
  EXPECT_NE(refusal(nest).find("nested deeper"), std::string::npos);
}

TEST(WriteRule, RefusesGraphsThatNoFileCanHold) {
  const TemporaryFolder folder;
  const auto file = folder.path / "net.xmodel";
  auto forward = quantized_graph();
  forward.ops[2].inputs["input"] = {3};
  EXPECT_THROW(write(forward, file), ModelError);
  auto beyond = quantized_graph();
  beyond.ops[2].inputs["input"] = {99};
  EXPECT_THROW(write(beyond, file), ModelError);
  auto no_such_op = quantized_graph();
  no_such_op.root.ops.push_back(99);
  EXPECT_THROW(write(no_such_op, file), ModelError);
  auto without_ops = Graph{};
  EXPECT_THROW(write(without_ops, file), ModelError);
  auto misfit = quantized_graph();
  misfit.ops[4].attrs["axis"] = std::int32_t{1};
  misfit.ops[2].output.shape = misfit.ops[1].output.shape = misfit.ops[0].output.shape = {1, 4, 4, 3};
  misfit.ops[0].attrs["shape"] = Ints{1, 4, 4, 3};
  misfit.ops[3].type = "const";
  misfit.ops[3].inputs.clear();
  misfit.ops[3].attrs = {{"shape", Ints{1, 4, 4, 2}}, {"data_type", std::string("FLOAT32")}, {"data", Bytes(128)}};
  EXPECT_THROW(write(misfit, file), ModelError);  // a concatenation along height of 2 and 3 channels
  auto sourceless = quantized_graph();
  sourceless.ops[4].type = "my-op";
  sourceless.ops[4].inputs = {{"weights", {3}}};
  EXPECT_THROW(write(sourceless, file), ModelError);
  EXPECT_FALSE(std::filesystem::exists(file));
}

}  // namespace
}  // namespace nerone::xmodel
