#pragma once

namespace xir {
class Graph;
}

namespace nerone::xmodel {

// Has libxir infer the shapes of a graph that to_libxir() built without, as every other program that loads the file
// will. ModelError where an op's shapes do not fit together. Ops whose inference may read out of bounds are left out.
void infer_shapes(xir::Graph& graph);

}  // namespace nerone::xmodel
