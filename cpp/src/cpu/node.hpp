#pragma once

// One op of a CPU subgraph with its tensors, as the kernels' makers see it.

#include <cstdint>
#include <functional>
#include <map>
#include <nerone/tensor.hpp>
#include <nerone/xmodel.hpp>
#include <string>
#include <vector>

namespace nerone::cpu {

using Shape = std::vector<std::int64_t>;

struct Node {
  const xmodel::Op& op;
  const xmodel::Graph& graph;
  std::vector<TensorInfo> inputs;  // of all roles, in the order of the roles' names
  TensorInfo output;

  // Where a role's tensors stand in `inputs`; ModelError where a required one is absent.
  std::size_t position(const std::string& role) const;
  bool has(const std::string& role) const;
  const TensorInfo& input(const std::string& role = "input") const { return inputs[position(role)]; }

  // "op 'NAME' (TYPE): REASON"
  [[noreturn]] void refuse(const std::string& reason) const;

  // Attributes; the field's tools disagree on number types, so any number type will do.
  std::int64_t integer(const std::string& key) const;
  std::int64_t integer_or(const std::string& key, std::int64_t fallback) const;
  double number_or(const std::string& key, double fallback) const;
  bool flag_or(const std::string& key, bool fallback) const;
  std::string text_or(const std::string& key, const std::string& fallback) const;
  std::vector<double> numbers_or(const std::string& key, std::vector<double> fallback) const;
  std::vector<std::int64_t> integers_or(const std::string& key, std::vector<std::int64_t> fallback) const;

  std::size_t axis(std::int64_t axis, std::size_t rank) const;  // -1 is the last
  void require_float() const;                                   // all inputs and the output
  void require_same_dtype() const;
  void require_output_count(std::int64_t elements) const;
  void require_output_shape(const Shape& shape) const;
};

// Computes one op. Inputs in the order of Node::inputs, all buffers dense; outputs overlap no input.
using Kernel = std::function<void(const void* const* inputs, void* output)>;
using MakeKernel = Kernel (*)(const Node& node);
using Kernels = std::map<std::string, MakeKernel>;

// By XIR type. One per source file; kernel_table() is all of them.
Kernels elementwise_kernels();
Kernels arithmetic_kernels();
Kernels crossing_kernels();
Kernels layout_kernels();
Kernels window_kernels();
Kernels dense_kernels();
Kernels reduction_kernels();
Kernels resize_kernels();
Kernels priorbox_kernels();
const Kernels& kernel_table();

// Integer ops ("conv2d-fix" ...) that the compiler left on the CPU: the software DPU's arithmetic.
bool is_fixed_point(const std::string& type);
Kernel make_fixed_point(const Node& node);

}  // namespace nerone::cpu
