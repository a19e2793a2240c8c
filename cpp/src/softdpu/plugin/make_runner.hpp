#pragma once

namespace xir {
class Attrs;
class Subgraph;
}  // namespace xir
namespace vart {
class Runner;
}

namespace nerone::softdpu {

struct Maker;

// A runner of the software DPU, to be deleted by the caller. Throws the errors of nerone/error.hpp, which VART passes
// on to the caller of vart::Runner::create_runner*.
vart::Runner* make_runner(const xir::Subgraph* subgraph, xir::Attrs* attrs, const Maker& maker);

}  // namespace nerone::softdpu
