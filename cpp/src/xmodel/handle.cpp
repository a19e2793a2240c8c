#include "xmodel/handle.hpp"

#include <map>
#include <nerone/error.hpp>

#include "xmodel/libxir.hpp"
#include "xmodel/registers.hpp"
#include "xmodel/texts.hpp"

namespace nerone::xmodel {

struct Handle::State {
  Graph graph;
  std::unique_ptr<xir::Graph> libxir_graph;
  std::map<std::string, const xir::Subgraph*> children;
};

Handle Handle::load(const std::filesystem::path& file, const Limits& limits) {
  auto state = std::make_shared<State>();
  state->graph = read(file, limits);
  check_family(state->graph, file);
  try {
    state->libxir_graph = to_libxir(state->graph);
    call_libxir([&] {
      const xir::Graph& graph = *state->libxir_graph;
      for (const auto* child : graph.get_root_subgraph()->get_children()) state->children[child->get_name()] = child;
    });
  } catch (const ModelError& error) {
    throw ModelError("'" + file.string() + "': " + one_line(error.what()) + "; fetch or compile it again");
  }
  Handle handle;
  handle.state_ = std::move(state);
  return handle;
}

const Graph& Handle::graph() const { return state_->graph; }

const xir::Subgraph* Handle::subgraph(const std::string& name) const {
  const auto found = state_->children.find(name);
  if (found == state_->children.end()) throw ModelError("the model has no subgraph '" + name + "'");
  return found->second;
}

}  // namespace nerone::xmodel
