#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <nerone/error.hpp>
#include <xir/graph/graph.hpp>

#include "graphs.hpp"
#include "xmodel/encode.hpp"
#include "xmodel/handle.hpp"
#include "xmodel/libxir.hpp"

namespace nerone::xmodel {
namespace {

using namespace testing;

Graph reread(const std::string& bytes) { return read_bytes(bytes.data(), bytes.size()); }

Graph with_every_attr() {
  auto graph = compiled_graph();
  for (const auto& [key, value] : every_attr()) {
    graph.attrs["x_" + key] = value;
    graph.ops[3].attrs["x_" + key] = value;
    graph.ops[3].output.attrs["x_" + key] = value;
    graph.root.children[1].attrs["x_" + key] = value;
  }
  return graph;
}

TEST(RoundTrip, EveryAttributeKeepsItsTypeAndValue) {
  const auto graph = with_every_attr();
  const auto again = reread(encode(graph));
  EXPECT_EQ(again.attrs, graph.attrs);
  EXPECT_EQ(again.ops[3].attrs, graph.ops[3].attrs);
  EXPECT_EQ(again.ops[3].output.attrs, graph.ops[3].output.attrs);
  EXPECT_EQ(again.root.children[1].attrs, graph.root.children[1].attrs);
}

TEST(RoundTrip, OpsTensorsAndSubgraphsComeBack) {
  for (const auto& graph : {compiled_graph(), own_graph(), quantized_graph()}) {
    const auto again = reread(encode(graph));
    ASSERT_EQ(again.ops.size(), graph.ops.size());
    for (std::size_t i = 0; i < graph.ops.size(); ++i) {
      EXPECT_EQ(again.ops[i].name, graph.ops[i].name);
      EXPECT_EQ(again.ops[i].inputs, graph.ops[i].inputs);
      EXPECT_EQ(again.ops[i].output.shape, graph.ops[i].output.shape);
      EXPECT_EQ(again.ops[i].output.data_type, graph.ops[i].output.data_type);
      EXPECT_EQ(again.ops[i].output.fix_point(), graph.ops[i].output.fix_point());
    }
    ASSERT_EQ(again.root.children.size(), graph.root.children.size());
    EXPECT_EQ(encode(again), encode(graph));
  }
}

// libxir reads our types as its own, and we read what libxir's serializer makes of them.
TEST(RoundTrip, LibxirAgreesOnEveryType) {
  const auto graph = with_every_attr();
  const auto theirs = to_libxir(graph);
  std::string bytes;
  theirs->serialize_to_string(&bytes);
  const auto again = reread(bytes);
  EXPECT_EQ(again.attrs, graph.attrs);
  EXPECT_EQ(again.root.children[1].attrs, graph.root.children[1].attrs);
  const auto& conv = again.ops[index_of(again, "conv")];
  EXPECT_EQ(conv.output.attrs, graph.ops[3].output.attrs);
  for (const auto& [key, value] : graph.ops[3].attrs) EXPECT_EQ(conv.attrs.at(key), value) << key;
  EXPECT_EQ(theirs->get_attr<std::uint64_t>("x_uint64"), 0xFFFFFFFFFFFFFFFF);
}

TEST(RoundTrip, OpsAreBroughtIntoTopologicalOrder) {
  auto graph = quantized_graph();
  auto shuffled = graph;
  std::swap(shuffled.ops[0], shuffled.ops[4]);
  const auto renumber = [](std::size_t index) { return index == 0 ? 4U : index == 4 ? 0U : index; };
  for (auto& op : shuffled.ops) {
    for (auto& [role, producers] : op.inputs) {
      for (auto& producer : producers) producer = renumber(producer);
    }
  }
  const auto again = reread(encode(shuffled));
  for (std::size_t i = 0; i < again.ops.size(); ++i) {
    for (const auto& [role, producers] : again.ops[i].inputs) {
      for (const auto producer : producers) EXPECT_LT(producer, i);
    }
  }
  EXPECT_EQ(again.ops[index_of(again, "joined")].inputs.at("input").size(), 3U);
}

TEST(RoundTrip, TheSameGraphGivesTheSameFile) {
  const TemporaryFolder folder;
  write(compiled_graph(), folder.path / "a.xmodel");
  write(reread(bytes_of(folder.path / "a.xmodel")), folder.path / "b.xmodel");
  EXPECT_EQ(bytes_of(folder.path / "a.xmodel"), bytes_of(folder.path / "b.xmodel"));
}

TEST(Golden, FilesLoadAndComeBack) {
  const auto files = golden_files();
  if (files.empty()) GTEST_SKIP() << "no golden models; set NERONE_GOLDEN_DIR";
  const TemporaryFolder folder;
  for (const auto& file : files) {
    SCOPED_TRACE(file.filename().string());
    const auto model = Handle::load(file);
    EXPECT_FALSE(model.graph().ops.empty());
    for (const auto& child : model.graph().root.children) EXPECT_NE(model.subgraph(child.name), nullptr);
    write(model.graph(), folder.path / "copy.xmodel");
    EXPECT_EQ(encode(Handle::load(folder.path / "copy.xmodel").graph()), encode(model.graph()));
  }
}

int run_xir(const std::string& arguments, const TemporaryFolder& folder) {
  const auto log = (folder.path / "log").string();
  return std::system(("xir " + arguments + " >" + log + " 2>&1").c_str());
}

TEST(XirCommand, ReadsOurFiles) {
  const TemporaryFolder folder;
  if (std::system("command -v xir >/dev/null") != 0) GTEST_SKIP() << "the xir command (libxir-utils) is not installed";
  const auto file = (folder.path / "net.xmodel").string();
  for (const auto& graph : {compiled_graph(), own_graph(), quantized_graph(), with_every_attr()}) {
    write(graph, file);
    EXPECT_EQ(run_xir("dump_txt " + file + " " + file + ".txt", folder), 0) << bytes_of(folder.path / "log");
    EXPECT_NE(bytes_of(file + ".txt").find(graph.ops.back().name), std::string::npos);
    EXPECT_EQ(run_xir("subgraph " + file, folder), 0) << bytes_of(folder.path / "log");
    for (const auto& child : graph.root.children) {
      EXPECT_NE(bytes_of(folder.path / "log").find(child.name), std::string::npos);
    }
  }
}

TEST(Write, AFullDiskIsAnErrorAndLeavesNothing) {
  const TemporaryFolder folder;
  const auto file = folder.path / "net.xmodel";
  write(quantized_graph(), file);
  const auto before = bytes_of(file);
  ::rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const ::rlimit small{256, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    write(compiled_graph(), file);
  } catch (const Error& error) {
    message = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_NE(message.find("cannot be written"), std::string::npos);
  EXPECT_EQ(bytes_of(file), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path), {}), 1);
}

TEST(Write, AMissingFolderIsAnError) {
  EXPECT_THROW(write(quantized_graph(), "/nonexistent/folder/net.xmodel"), Error);
}

TEST(Read, WhatIsNoFileIsAnError) {
  const TemporaryFolder folder;
  std::ofstream(folder.path / "empty.xmodel");
  for (const auto& file : {folder.path / "absent.xmodel", folder.path, folder.path / "empty.xmodel"}) {
    EXPECT_THROW(read(file), ModelError);
    EXPECT_THROW(Handle::load(file), ModelError);
  }
}

}  // namespace
}  // namespace nerone::xmodel
