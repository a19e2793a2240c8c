#pragma once

#include <cstddef>
#include <memory>
#include <nerone/tensor.hpp>
#include <nerone/xmodel.hpp>
#include <vector>

namespace nerone::cpu {

// The ops of one CPU subgraph, planned once: kernels chosen, every tensor's memory allocated. Serves one thread at a
// time. Plain float32 arithmetic; what leaves a fixed-point tensor or enters one is exact.
class Program {
 public:
  // ModelError naming the op and its type where an op is missing or does not fit its tensors.
  static Program plan(const xmodel::Graph& graph, const xmodel::Subgraph& subgraph);

  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  ~Program();

  // Indices into Graph::ops: what is read from outside, and what is read outside or by nobody.
  const std::vector<std::size_t>& inputs() const;
  const std::vector<std::size_t>& outputs() const;

  // Dense buffers in the order of inputs() and outputs(), of the dtypes and shapes of those ops' tensors.
  void run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs);

 private:
  struct State;
  explicit Program(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nerone::cpu
