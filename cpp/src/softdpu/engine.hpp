#pragma once

// The software DPU's engines. All of them compute the same bits; they differ in speed only.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nerone/tensor.hpp>
#include <nerone/xmodel.hpp>
#include <string>
#include <vector>

namespace nerone::softdpu {

// scalar: the readable references; portable: vectorised loops for every processor; onednn: its convolutions with the
// portable rest; jit: kernels generated at plan time for AVX-512 VNNI, jit_avx_vnni and jit_avx2 for processors without
// it. isa: the instructions of a vendor's file, as a board runs them. automatic: the fastest that this processor has.
enum class Kernels { automatic, scalar, portable, onednn, jit, jit_avx_vnni, jit_avx2, isa };

// "auto", "scalar", "portable", "onednn", "jit", "jit-avx-vnni", "jit-avx2" or "isa"; ConfigurationError otherwise.
Kernels kernels_from(const std::string& name);
const char* name_of(Kernels kernels);

// The engines that this processor and this build have, `automatic` left out, and `isa`, which not every model has.
std::vector<Kernels> available_kernels();

struct EngineOptions {
  Kernels kernels = Kernels::automatic;
  // Names of the tensors that leave the subgraph. Empty: those that no op of the subgraph reads.
  std::vector<std::string> outputs;
  // That share the work on one image; of the jit kernels, the others take one.
  int threads = 1;
};

// One step of a plan in a profile.
struct StepInfo {
  std::string name;        // the op's
  std::string kind;        // "conv 3x3", "max pool 2x2" ...
  std::string kernel;      // how it is computed
  std::int64_t macs = 0;   // as the model states the layer
  std::int64_t bytes = 0;  // read and written, weights included
  // Multiplications really done: fewer where pixels are multiplied before an upsampling repeats them, and by Winograd.
  std::int64_t computed_macs = 0;
  // What the kernel's products allow, times what those of peak_gmacs() do: more where byte products are added up in
  // chains before they are widened.
  double peak_ratio = 1.0;
};

// The arena of one runner, beside the engine. Not to be used by two threads at once.
class Context {
 public:
  virtual ~Context() = default;
};

// A plan made once from a subgraph. Immutable: any number of threads may run it, each with its own context.
class Engine {
 public:
  virtual ~Engine() = default;

  // In the order that run() takes, which is the order of the tensors' names, as VART sorts them.
  virtual const std::vector<TensorInfo>& inputs() const = 0;
  virtual const std::vector<TensorInfo>& outputs() const = 0;
  virtual Kernels kernels() const = 0;

  virtual std::unique_ptr<Context> make_context() const = 0;

  // Buffers are dense, in the order and with the shapes and dtypes of inputs() and outputs(), at any alignment.
  // Outputs may not overlap inputs. Allocates nothing.
  virtual void run(Context& context, const void* const* inputs, void* const* outputs) const = 0;

  // The steps that a run takes, in order.
  virtual std::vector<StepInfo> steps() const { return {}; }
  // A run that adds the time of each step to `seconds`.
  virtual void run_timed(Context& context, const void* const* inputs, void* const* outputs, double* /*seconds*/) const {
    run(context, inputs, outputs);
  }
  // Of one context, scratch memory included.
  virtual std::size_t arena_bytes() const { return 0; }
};

// Plans the one subgraph of a graph as xmodel::describe() gives it. ModelError names the first op that cannot run and
// the reason; ConfigurationError where kernels were asked for that this processor or this model cannot have.
std::shared_ptr<const Engine> make_engine(const xmodel::Graph& graph, const EngineOptions& options = {});

}  // namespace nerone::softdpu
