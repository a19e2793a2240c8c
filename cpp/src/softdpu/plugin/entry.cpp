// The two functions by which VART loads a runner library. Whichever VART calls them, the bridge to it makes the runner.

#include "door/installation.hpp"
#include "softdpu/plugin/maker.hpp"

extern "C" {

__attribute__((visibility("default"))) vart::Runner* create_runner_with_attrs(const xir::Subgraph* subgraph,
                                                                              xir::Attrs* attrs) {
  return nerone::door::installed().make_softdpu_runner(subgraph, attrs, nerone::softdpu::this_maker());
}

__attribute__((visibility("default"))) vart::Runner* create_runner(const xir::Subgraph* subgraph) {
  return create_runner_with_attrs(subgraph, nullptr);
}

}  // extern "C"
