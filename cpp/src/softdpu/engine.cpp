#include "softdpu/engine.hpp"

#include <algorithm>
#include <iterator>
#include <nerone/error.hpp>

#include "softdpu/instruction_engine.hpp"
#include "softdpu/planned_engine.hpp"
#include "softdpu/program.hpp"
#include "softdpu/scalar_engine.hpp"
#ifdef NERONE_SOFTDPU_JIT
#include "softdpu/jit/engine.hpp"
#endif
#ifdef NERONE_SOFTDPU_ONEDNN
#include "softdpu/onednn/conv.hpp"
#endif

namespace nerone::softdpu {

namespace {

constexpr Kernels all_kernels[] = {Kernels::scalar, Kernels::portable,     Kernels::onednn,
                                   Kernels::jit,    Kernels::jit_avx_vnni, Kernels::jit_avx2};

}  // namespace

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
    case Kernels::jit_avx_vnni:
      return "jit-avx-vnni";
    case Kernels::jit_avx2:
      return "jit-avx2";
    case Kernels::isa:
      return "isa";
  }
  return "unknown";
}

Kernels kernels_from(const std::string& name) {
  for (const auto kernels : {Kernels::automatic, Kernels::isa}) {
    if (name == name_of(kernels)) return kernels;
  }
  for (const auto kernels : all_kernels) {
    if (name == name_of(kernels)) return kernels;
  }
  throw ConfigurationError(
      "kernels '" + name +
      "' are not known, expected auto, scalar, portable, onednn, jit, jit-avx-vnni, jit-avx2 or isa");
}

namespace {

// oneDNN's convolutions where this build has them, the portable kernels for the rest.
std::unique_ptr<StepKernel> make_onednn_kernel(const Operation& operation) {
#ifdef NERONE_SOFTDPU_ONEDNN
  if (const auto* conv = std::get_if<Conv>(&operation)) {
    if (auto kernel = onednn::make_conv(*conv)) return kernel;
  }
#endif
  return make_portable_kernel(operation);
}

// The instructions that these kernels need, in words.
const char* needs_of(Kernels kernels) {
  switch (kernels) {
    case Kernels::jit_avx_vnni:
      return "AVX-VNNI";
    case Kernels::jit_avx2:
      return "AVX2";
    case Kernels::onednn:
      return "AVX-512 VNNI and a build with oneDNN";
    default:
      return "AVX-512 VNNI";
  }
}

bool is_available(Kernels kernels) {
#ifdef NERONE_SOFTDPU_ONEDNN
  if (kernels == Kernels::onednn) return onednn::is_exact_here();
#endif
  if (kernels == Kernels::scalar || kernels == Kernels::portable) return true;
#ifdef NERONE_SOFTDPU_JIT
  const auto isa = jit::isa_of(kernels);
  return isa && jit::is_supported(*isa);
#else
  return false;
#endif
}

Kernels resolve(Kernels wanted) {
  if (wanted == Kernels::automatic) {
    for (const auto kernels : {Kernels::jit, Kernels::onednn, Kernels::jit_avx_vnni, Kernels::jit_avx2}) {
      if (is_available(kernels)) return kernels;
    }
    return Kernels::portable;
  }
  if (!is_available(wanted)) {
    throw ConfigurationError(std::string("kernels '") + name_of(wanted) + "' need " + needs_of(wanted) +
                             ", which this processor or build does not have; use auto or portable");
  }
  return wanted;
}

}  // namespace

std::vector<Kernels> available_kernels() {
  std::vector<Kernels> found;
  std::copy_if(std::begin(all_kernels), std::end(all_kernels), std::back_inserter(found), is_available);
  return found;
}

std::shared_ptr<const Engine> make_engine(const xmodel::Graph& graph, const EngineOptions& options) {
  if (options.kernels == Kernels::isa) return make_instruction_engine(graph, options);
  const auto kernels = resolve(options.kernels);
  auto program = parse_program(graph, options.outputs);
  switch (kernels) {
    case Kernels::scalar:
      return make_scalar_engine(std::move(program));
#ifdef NERONE_SOFTDPU_JIT
    case Kernels::jit:
    case Kernels::jit_avx_vnni:
    case Kernels::jit_avx2:
      return jit::make_jit_engine(*jit::isa_of(kernels), *program,
                                  kernels == Kernels::jit ? make_onednn_kernel : make_portable_kernel, options.threads);
#endif
    case Kernels::onednn:
      return make_planned_engine(std::move(program), kernels, make_onednn_kernel);
    default:
      return make_planned_engine(std::move(program), Kernels::portable, make_portable_kernel);
  }
}

}  // namespace nerone::softdpu
