#include "vart/dpu_runner.hpp"

#include <nerone/error.hpp>

#include "door/installation.hpp"
#include "vart/library.hpp"

namespace nerone::vart {

Runner::Runner(std::unique_ptr<door::Runner> foreign) : foreign_(std::move(foreign)) {}
Runner::Runner(Runner&&) noexcept = default;
Runner& Runner::operator=(Runner&&) noexcept = default;
Runner::~Runner() = default;

Runner Runner::create(const xmodel::Handle& model, const std::string& subgraph, const DeviceOptions& options) {
  for (const auto& child : model.graph().root.children) {
    if (child.name != subgraph) continue;
    check_subgraph(child);
    const auto library = Library::open(child, options).enter();
    const auto graph = is_softdpu(options) ? model.outlined() : model.foreign();
    return Runner(door::installed().make_runner(graph, subgraph, library, options));
  }
  throw ModelError("the model has no subgraph '" + subgraph + "'");
}

const std::vector<Port>& Runner::inputs() const { return foreign_->inputs(); }
const std::vector<Port>& Runner::outputs() const { return foreign_->outputs(); }
std::int64_t Runner::batch() const { return inputs().front().info.shape[0]; }

Job Runner::start() { return {foreign_->start()}; }

Job Runner::start_on(const std::vector<TensorView>& inputs, const std::vector<TensorView>& outputs) {
  return {foreign_->start_on(inputs, outputs)};
}

void Runner::finish(Job job, int timeout_ms) { foreign_->finish(job.id, timeout_ms); }
void Runner::run(int timeout_ms) { finish(start(), timeout_ms); }

}  // namespace nerone::vart
