#pragma once

// The constants of a compiled DPU subgraph as its tensors declare them.
//
// A board reads the registers by its instructions, and in two places these do not follow the tensors:
//   bias     with fi + fw - fb + 1 < 0 the bytes have fix point fi + fw + 1, while the tensor declares fb
//   weights  of a transposed convolution stand phase by phase (compiled/taps.hpp), while the tensor declares OHWI; the
//            instructions say in which order (compiled/phases.hpp)
// That holds for a subgraph with instructions (mc_code). NERONE's host compilation writes none; it keeps constants as
// declared and says so: attribute constant_layout = "declared" of the DPU subgraph.

#include <nerone/xmodel.hpp>
#include <vector>

#include "xmodel/handle.hpp"

namespace nerone::compiled {

inline constexpr const char* layout_attr = "constant_layout";

// Takes a graph as xmodel::describe() gives it. Weights that came from a register get their declared order, biases the
// fix point that their bytes have. ModelError names the constant that cannot be read, a layout that is not known, or
// the convolution whose instructions do not fit it.
void restore_constants(xmodel::Graph& graph);

// The constants of all DPU subgraphs of a file, with their bytes and fix points in the declared form.
std::vector<xmodel::Op> declared_constants(const xmodel::Handle& file);

}  // namespace nerone::compiled
