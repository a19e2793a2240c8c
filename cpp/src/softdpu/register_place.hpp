#pragma once

// Tensors in the registers of a compiled subgraph.

#include <cstdint>
#include <nerone/tensor.hpp>
#include <nerone/xmodel.hpp>
#include <vector>

namespace nerone::softdpu {

struct RegisterPlace {
  TensorInfo info;
  int reg = 0;
  std::int64_t address = 0;
  std::vector<std::int64_t> strides;  // bytes

  // Bytes from the register's start that it needs.
  std::int64_t end() const;
  // Between a dense buffer and the register.
  void copy_in(const void* dense, std::uint8_t* reg_bytes) const;
  void copy_out(const std::uint8_t* reg_bytes, void* dense) const;
};

// `named` gives name, shape and fix point, `placed` the place. ModelError where it has none.
RegisterPlace place_of(const xmodel::Tensor& named, const xmodel::Tensor& placed);

// Inputs and outputs of the one subgraph of a graph, sorted by name. `outputs` are names of tensors; where there is
// none, those of its downloads.
struct RegisterPlaces {
  std::vector<RegisterPlace> inputs, outputs;
};
RegisterPlaces places_of(const xmodel::Graph& graph, const std::vector<std::string>& outputs);

}  // namespace nerone::softdpu
