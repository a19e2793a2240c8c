#include "xmodel/handle.hpp"

#include <mutex>
#include <nerone/error.hpp>

#include "door/installation.hpp"
#include "xmodel/check.hpp"
#include "xmodel/outline.hpp"
#include "xmodel/registers.hpp"
#include "xmodel/texts.hpp"

namespace nerone::xmodel {

struct Handle::State {
  std::filesystem::path file;
  std::shared_ptr<const Graph> graph;
  std::mutex mutex;
  std::shared_ptr<door::Graph> foreign, outlined;

  // Made when it is first asked for.
  template <typename Make>
  std::shared_ptr<door::Graph> once(std::shared_ptr<door::Graph>& made, const Make& make) {
    const std::lock_guard lock(mutex);
    if (made) return made;
    try {
      return made = make();
    } catch (const ModelError& error) {
      throw ModelError("'" + file.string() + "': " + with_advice(error.what()));
    }
  }
};

Handle Handle::load(const std::filesystem::path& file, const Limits& limits) {
  door::installed();
  auto graph = std::make_shared<const Graph>(read(file, limits));
  check_family(*graph, file);
  Handle handle;
  handle.state_ = std::make_shared<State>();
  handle.state_->file = file;
  handle.state_->graph = std::move(graph);
  return handle;
}

const Graph& Handle::graph() const { return *state_->graph; }

std::shared_ptr<door::Graph> Handle::foreign() const {
  return state_->once(state_->foreign, [this] {
    check_libxir_ops(graph());
    return door::installed().make_graph(graph());
  });
}

std::shared_ptr<door::Graph> Handle::outlined() const {
  return state_->once(state_->outlined, [this] { return door::installed().make_outline(state_->graph); });
}

const xir::Subgraph* Handle::subgraph(const std::string& name) const { return foreign()->child(name); }

}  // namespace nerone::xmodel
