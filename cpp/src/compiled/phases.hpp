#pragma once

// Which order of phases the instructions of a subgraph have for the weights of a transposed convolution.
//
// The weights of the first output channel are followed from the register (LOAD) to the convolutions that read them
// (CONVINIT, CONV). Each of these says the place of its taps in the register, the size of its kernel, and in which
// column and line of the tile it writes, which tells phases of one size apart. Kernels that fit no order of phases mean
// that the model is not what its tensors say.

#include "compiled/readers.hpp"
#include "compiled/taps.hpp"

namespace nerone::compiled {

// by_first_tap where no instruction reads the weights. ModelError where what reads them fits no order.
PhaseOrder order_of_phases(const isa::Stream& stream, const isa::Machine& machine, const StoredWeights& weights,
                           const TransposedKernel& kernel);

}  // namespace nerone::compiled
