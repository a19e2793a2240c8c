#pragma once

// Small graphs and files for the tests of this folder.

#include <filesystem>
#include <nerone/xmodel.hpp>
#include <string>
#include <vector>

namespace nerone::xmodel::testing {

// USER, DPU and CPU subgraphs as the vendor's compiler makes them: a convolution with its weights in REG_0, a pooling,
// fix2float and softmax. The DPU subgraph has one child per layer.
Graph compiled_graph();

// The same with weights in const-fix and a custom op at the end.
Graph own_graph();

// Uncompiled: no subgraphs, float ops, a residual and a concatenation.
Graph quantized_graph();

// One attribute of every type, among them the smallest and largest numbers and empty lists.
Attrs every_attr();

std::size_t index_of(const Graph& graph, const std::string& op);

// The golden models, in NERONE_GOLDEN_DIR or <repo>/../shared/golden; empty where there are none.
std::vector<std::filesystem::path> golden_files();

std::string bytes_of(const std::filesystem::path& file);

// A new folder that is removed in the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path path;
};

}  // namespace nerone::xmodel::testing
