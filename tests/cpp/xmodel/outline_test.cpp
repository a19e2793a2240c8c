// What NERONE reads of a file itself against what libxir makes of the same file.

#include "xmodel/outline.hpp"

#include <gtest/gtest.h>

#include <nerone/error.hpp>

#include "door/door.hpp"
#include "graphs.hpp"
#include "xmodel/boundary.hpp"
#include "xmodel/describe.hpp"
#include "xmodel/encode.hpp"
#include "xmodel/handle.hpp"

namespace nerone::xmodel {
namespace {

using namespace testing;

// Input roles with the names of their ops, which do not depend on the order of the ops.
std::map<std::string, std::vector<std::string>> inputs_of(const Graph& graph, const Op& op) {
  std::map<std::string, std::vector<std::string>> named;
  for (const auto& [role, producers] : op.inputs) {
    for (const auto producer : producers) named[role].push_back(graph.ops[producer].name);
  }
  return named;
}

void expect_same(const Graph& ours, const Graph& libxirs) {
  EXPECT_EQ(ours.name, libxirs.name);
  ASSERT_EQ(ours.ops.size(), libxirs.ops.size());
  for (const auto& op : ours.ops) {
    SCOPED_TRACE(op.name);
    const auto& other = libxirs.ops.at(index_of(libxirs, op.name));
    EXPECT_EQ(op.type, other.type);
    EXPECT_EQ(op.attrs, other.attrs);
    EXPECT_EQ(inputs_of(ours, op), inputs_of(libxirs, other));
    EXPECT_EQ(op.output.name, other.output.name);
    EXPECT_EQ(op.output.shape, other.output.shape);
    EXPECT_EQ(op.output.data_type, other.output.data_type);
    EXPECT_EQ(op.output.attrs, other.output.attrs);
  }
  ASSERT_EQ(ours.root.children.size(), 1U);
  const auto &child = ours.root.children[0], &other = libxirs.root.children.at(0);
  EXPECT_EQ(child.name, other.name);
  EXPECT_EQ(child.attrs, other.attrs);
  EXPECT_EQ(child.ops.size(), other.ops.size());
}

std::vector<std::string> names(const std::vector<const xir::Tensor*>& tensors) {
  std::vector<std::string> all;
  for (const auto* tensor : tensors) all.push_back(name_of(tensor));
  return all;
}

void compare(const Handle& model) {
  for (const auto& child : model.graph().root.children) {
    SCOPED_TRACE(child.name);
    expect_same(describe(model.graph(), child), describe(model.subgraph(child.name)));
    if (child.device() != "DPU") continue;
    const auto whole = boundary_of(model.subgraph(child.name));
    const auto outlined = boundary_of(model.outlined()->child(child.name));
    EXPECT_EQ(names(outlined.inputs), names(whole.inputs));
    EXPECT_EQ(names(outlined.outputs), names(whole.outputs));
    expect_same(model.outlined()->describe(child.name), describe(model.subgraph(child.name)));
  }
}

Handle load(const Graph& graph) {
  const TemporaryFolder folder;
  write(graph, folder.path / "net.xmodel");
  return Handle::load(folder.path / "net.xmodel");
}

TEST(Outline, DescribesAsLibxirDoes) {
  compare(load(compiled_graph()));
  compare(load(own_graph()));
}

TEST(Outline, DescribesGoldenFilesAsLibxirDoes) {
  const auto files = golden_files();
  if (files.empty()) GTEST_SKIP() << "no golden models; set NERONE_GOLDEN_DIR";
  for (const auto& file : files) {
    SCOPED_TRACE(file.filename().string());
    compare(Handle::load(file));
  }
}

// Every type that libxir gives attributes that a file leaves out.
TEST(Outline, GivesWhatAnOpLacks) {
  auto graph = own_graph();
  auto& conv = graph.ops.at(index_of(graph, "conv"));
  for (const char* key : {"pad", "dilation", "nonlinear"}) conv.attrs.erase(key);
  const auto model = load(graph);
  compare(model);
  const auto& dpu = model.graph().root.children[1];
  const auto described = describe(model.graph(), dpu);
  EXPECT_EQ(attr_or<std::int32_t>(described.ops[index_of(described, "conv")].attrs, "hsigmoid_in", 0), -128);
}

// One DPU subgraph that feeds another, and one that both a subgraph for the CPU and its own ops read.
TEST(Outline, HasSubgraphsThatReadEachOther) {
  auto graph = compiled_graph();
  auto& dpu = graph.root.children[1];
  dpu.children.clear();
  Subgraph second = dpu;
  second.name = "nerone-sources";  // the outline's own name for what it adds
  second.ops = {dpu.ops.back()};
  dpu.ops.pop_back();
  graph.root.children.insert(graph.root.children.begin() + 2, second);
  compare(load(graph));
}

}  // namespace
}  // namespace nerone::xmodel
