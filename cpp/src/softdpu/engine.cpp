#include "softdpu/engine.hpp"

#include <nerone/error.hpp>

#include "softdpu/program.hpp"
#include "softdpu/scalar_engine.hpp"

namespace nerone::softdpu {

const char* name_of(Kernels kernels) {
  switch (kernels) {
    case Kernels::automatic:
      return "auto";
    case Kernels::scalar:
      return "scalar";
    case Kernels::onednn:
      return "onednn";
    case Kernels::jit:
      return "jit";
  }
  return "unknown";
}

Kernels kernels_from(const std::string& name) {
  for (const auto kernels : {Kernels::automatic, Kernels::scalar, Kernels::onednn, Kernels::jit}) {
    if (name == name_of(kernels)) return kernels;
  }
  throw ConfigurationError("kernels '" + name + "' are not known, expected auto, scalar, onednn or jit");
}

std::shared_ptr<const Engine> make_engine(const xmodel::Graph& graph, const EngineOptions& options) {
  auto program = parse_program(graph, options.outputs);
  return make_scalar_engine(std::move(program));
}

}  // namespace nerone::softdpu
