#pragma once

// Which order of phases the instructions of a subgraph have for the weights of a transposed convolution.
//
// The weights of the first output channel are followed from the register (LOAD) to the convolutions that read them
// (CONVINIT, CONV). Each of these says the place of its taps in the register and the size of its kernel. Where the
// phases in order of their first taps have these sizes, that is the order; else another one has to have them, among
// several the one whose phases write side by side. Kernels that fit no order mean that the model is not what its
// tensors say. Phases of one size in another order would go unnoticed here; executing the instructions shows them.

#include "compiled/readers.hpp"
#include "compiled/taps.hpp"

namespace nerone::compiled {

// by_first_tap where no instruction reads the weights. ModelError where what reads them fits no order.
PhaseOrder order_of_phases(const isa::Stream& stream, const isa::Machine& machine, const StoredWeights& weights,
                           const TransposedKernel& kernel);

}  // namespace nerone::compiled
