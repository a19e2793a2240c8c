#pragma once

// The software DPU's engines. All of them compute the same bits; they differ in speed only.

#include <memory>
#include <nerone/tensor.hpp>
#include <nerone/xmodel.hpp>
#include <string>
#include <vector>

namespace nerone::softdpu {

// scalar: the readable references; portable: vectorised loops for every processor; onednn: its convolutions with the
// portable rest; jit: kernels generated at plan time. automatic: the fastest that this processor has.
enum class Kernels { automatic, scalar, portable, onednn, jit };

// "auto", "scalar", "portable", "onednn" or "jit"; ConfigurationError otherwise.
Kernels kernels_from(const std::string& name);
const char* name_of(Kernels kernels);

struct EngineOptions {
  Kernels kernels = Kernels::automatic;
  // Names of the tensors that leave the subgraph. Empty: those that no op of the subgraph reads.
  std::vector<std::string> outputs;
};

// What one runner needs beside the engine: its arena. Not to be used by two threads at once.
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
};

// Plans the one subgraph of a graph as xmodel::describe() gives it. ModelError names the first op that cannot run and
// the reason; ConfigurationError where kernels were asked for that this processor or this model cannot have.
std::shared_ptr<const Engine> make_engine(const xmodel::Graph& graph, const EngineOptions& options = {});

}  // namespace nerone::softdpu
