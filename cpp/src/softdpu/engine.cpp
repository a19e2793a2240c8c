#include "softdpu/engine.hpp"

#include <nerone/error.hpp>

#include "softdpu/onednn/conv.hpp"
#include "softdpu/planned_engine.hpp"
#include "softdpu/program.hpp"
#include "softdpu/scalar_engine.hpp"
#ifdef NERONE_SOFTDPU_JIT
#include "softdpu/jit/engine.hpp"
#endif

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

namespace {

std::unique_ptr<StepKernel> make_onednn_kernel(const Operation& operation) {
  if (const auto* conv = std::get_if<Conv>(&operation)) {
    if (auto kernel = onednn::make_conv(*conv)) return kernel;
  }
  return make_portable_kernel(operation);
}

bool has_jit() {
#ifdef NERONE_SOFTDPU_JIT
  return jit::is_supported();
#else
  return false;
#endif
}

Kernels resolve(Kernels wanted) {
  if (wanted == Kernels::automatic) {
    return has_jit() ? Kernels::jit : onednn::is_exact_here() ? Kernels::onednn : Kernels::portable;
  }
  if ((wanted == Kernels::jit && !has_jit()) || (wanted == Kernels::onednn && !onednn::is_exact_here())) {
    throw ConfigurationError(std::string("kernels '") + name_of(wanted) +
                             "' need AVX-512 VNNI, which this processor or build does not have; use auto or portable");
  }
  return wanted;
}

}  // namespace

std::shared_ptr<const Engine> make_engine(const xmodel::Graph& graph, const EngineOptions& options) {
  const auto kernels = resolve(options.kernels);
  auto program = parse_program(graph, options.outputs);
  switch (kernels) {
    case Kernels::scalar:
      return make_scalar_engine(std::move(program));
#ifdef NERONE_SOFTDPU_JIT
    case Kernels::jit:
      return jit::make_jit_engine(*program, make_onednn_kernel);
#endif
    case Kernels::onednn:
      return make_planned_engine(std::move(program), kernels, make_onednn_kernel);
    default:
      return make_planned_engine(std::move(program), Kernels::portable, make_portable_kernel);
  }
}

}  // namespace nerone::softdpu
