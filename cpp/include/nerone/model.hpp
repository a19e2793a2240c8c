#pragma once

#include <filesystem>
#include <memory>
#include <nerone/device.hpp>
#include <nerone/export.hpp>
#include <nerone/tensor.hpp>
#include <string>
#include <vector>

namespace nerone {

namespace xmodel {
class Handle;
}

struct SubgraphInfo {
  std::string name;
  std::string device;            // "USER", "DPU" or "CPU"
  std::vector<std::string> ops;  // names, in topological order
};

// How far a model runs: to its end, or through its first DPU subgraph, whose int8 outputs are then the model's (to
// compare with a reference, or to do the rest elsewhere).
enum class Until { end, first_dpu };

// A compiled model: the chain of its USER, DPU and CPU subgraphs. Owns one runner per DPU subgraph; run() takes a lock,
// so any number of threads may call it and take turns. For parallel work load one model per thread, or use a pipeline.
class NERONE_EXPORT Model {
 public:
  // Checks the file before libxir sees it, plans the CPU subgraphs and creates the runners. ModelError where the file
  // or an op cannot be used, DeviceError where the device cannot.
  static Model load(const std::filesystem::path& file, const DeviceOptions& options = {}, Until until = Until::end);
  // As above for a file that is open already: models made of one handle share the weights of their DPU subgraphs.
  static Model of(const xmodel::Handle& file, const DeviceOptions& options = {}, Until until = Until::end);

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  // Inputs are the tensors that the user gives, outputs those that no op reads; both in the order of the file.
  const std::vector<TensorInfo>& inputs() const;
  const std::vector<TensorInfo>& outputs() const;
  const std::vector<SubgraphInfo>& subgraphs() const;  // in the order of running

  // Dense views in the order of inputs() and outputs(). Each view has the tensor's shape and either its own dtype, or
  // float32 where the tensor is int8 with a fix point. Float input is quantized, clamp(floor(x * 2^fix_point + 0.5)),
  // NaN giving 0; float output is q * 2^-fix_point. timeout_ms < 0 waits for ever, otherwise it bounds each DPU job.
  // ShapeError, DtypeError, DeviceError, TimeoutError. After an error outputs are undefined and the model can be used
  // again.
  void run(const std::vector<TensorView>& inputs, const std::vector<TensorView>& outputs, int timeout_ms = -1);

 private:
  struct State;
  explicit Model(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nerone
