#include "softdpu/engine.hpp"

#include <nerone/error.hpp>

#include "softdpu/planned_engine.hpp"
#include "softdpu/program.hpp"
#include "softdpu/scalar_engine.hpp"

namespace nerone::softdpu {

const char* name_of(Kernels kernels) {
  switch (kernels) {
    case Kernels::automatic:
      return "auto";
    case Kernels::scalar:
      return "scalar";
    case Kernels::portable:
      return "portable";
    case Kernels::onednn:
      return "onednn";
    case Kernels::jit:
      return "jit";
  }
  return "unknown";
}

Kernels kernels_from(const std::string& name) {
  for (const auto kernels : {Kernels::automatic, Kernels::scalar, Kernels::portable, Kernels::onednn, Kernels::jit}) {
    if (name == name_of(kernels)) return kernels;
  }
  throw ConfigurationError("kernels '" + name + "' are not known, expected auto, scalar, portable, onednn or jit");
}

std::shared_ptr<const Engine> make_engine(const xmodel::Graph& graph, const EngineOptions& options) {
  auto program = parse_program(graph, options.outputs);
  if (options.kernels == Kernels::scalar) return make_scalar_engine(std::move(program));
  return make_planned_engine(std::move(program), Kernels::portable, make_portable_kernel);
}

}  // namespace nerone::softdpu
