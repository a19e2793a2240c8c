// The library that VART opens for us. VART opens runner libraries with RTLD_GLOBAL, which would give the whole process
// the protobuf and whatever else stands behind a runner; a TensorFlow that is imported later would bind to them and
// crash. This one depends on nothing: the runner library itself was opened locally before, and its entry point is
// passed on.

namespace xir {
class Attrs;
class Subgraph;
}  // namespace xir
namespace vart {
class Runner;
}

namespace {

using CreateRunner = vart::Runner* (*)(const xir::Subgraph*, xir::Attrs*);

// VART creates a runner in the thread that asks for it.
thread_local CreateRunner target = nullptr;

}  // namespace

extern "C" {

__attribute__((visibility("default"))) void nerone_vart_entry_set_target(CreateRunner create_runner) {
  target = create_runner;
}

__attribute__((visibility("default"))) vart::Runner* create_runner_with_attrs(const xir::Subgraph* subgraph,
                                                                              xir::Attrs* attrs) {
  return target == nullptr ? nullptr : target(subgraph, attrs);
}
}
