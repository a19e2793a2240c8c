#pragma once

#include <memory>

#include "softdpu/engine.hpp"
#include "softdpu/plugin/maker.hpp"

namespace xir {
class Subgraph;
}

namespace nerone::softdpu {

// The engine of a subgraph: planned by the first runner, shared by all that live at the same time.
// `threads` share one image. ModelError for another DPU family than DPUCZDX8G, or an op that cannot run. Thread-safe.
std::shared_ptr<const Engine> shared_engine(const xir::Subgraph* subgraph, Kernels kernels, int threads,
                                            const Maker& maker);

}  // namespace nerone::softdpu
