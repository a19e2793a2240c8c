#include "xmodel/handle.hpp"

#include <nerone/error.hpp>

#include "door/installation.hpp"
#include "xmodel/registers.hpp"
#include "xmodel/texts.hpp"

namespace nerone::xmodel {

struct Handle::State {
  Graph graph;
  std::shared_ptr<door::Graph> foreign;
};

Handle Handle::load(const std::filesystem::path& file, const Limits& limits) {
  auto state = std::make_shared<State>();
  state->graph = read(file, limits);
  check_family(state->graph, file);
  try {
    state->foreign = door::installed().make_graph(state->graph);
  } catch (const ModelError& error) {
    throw ModelError("'" + file.string() + "': " + with_advice(error.what()));
  }
  Handle handle;
  handle.state_ = std::move(state);
  return handle;
}

const Graph& Handle::graph() const { return state_->graph; }
const std::shared_ptr<door::Graph>& Handle::foreign() const { return state_->foreign; }
const xir::Subgraph* Handle::subgraph(const std::string& name) const { return state_->foreign->child(name); }

}  // namespace nerone::xmodel
