#pragma once

// For cpp/src/vart, which gives libxir's objects to VART, and cpp/src/softdpu, which VART gives them to.

#include <filesystem>
#include <memory>
#include <nerone/xmodel.hpp>
#include <string>

namespace xir {
class Subgraph;
}
namespace nerone::door {
class Graph;
}

namespace nerone::xmodel {

// A validated file. Cheap to copy; keeps what libxir holds of it alive.
// All runners of a model are created from the same xir::Subgraph, so that weights are shared. Thread-safe.
class Handle {
 public:
  // ModelError for a file that cannot be used, DeviceError where there is no libxir.
  static Handle load(const std::filesystem::path& file, const Limits& limits = {});

  const Graph& graph() const;
  // The whole graph as libxir deserializes it, once. ModelError where libxir refuses it.
  std::shared_ptr<door::Graph> foreign() const;
  // For the software DPU's runners; see door::Door::make_outline().
  std::shared_ptr<door::Graph> outlined() const;
  // foreign()'s object of a root child, by the name it has in graph().root.children.
  const xir::Subgraph* subgraph(const std::string& name) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace nerone::xmodel
