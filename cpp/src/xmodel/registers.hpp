#pragma once

// The weights of a compiled DPU subgraph: bytes of a register, found by the constant's attributes reg_id and ddr_addr.

#include <nerone/xmodel.hpp>
#include <string>

namespace nerone::xmodel {

// Whether constants lie in the registers dense and in the order of their shape. Other families permute them.
bool has_plain_registers(const Subgraph& subgraph);

// ModelError for the DPU families that cannot be executed here, with the remedy.
void check_family(const Subgraph& subgraph);
void check_family(const Graph& graph);  // of all its DPU subgraphs
void check_family(const Graph& graph, const std::filesystem::path& file);

// Where a constant without data of its own lies. Bounds are checked; ModelError names the op.
struct Span {
  const char* data = nullptr;
  std::size_t size_bytes = 0;
};
Span find_in_register(const Op& op, const Subgraph& subgraph);

// Gives a constant of a described graph its bytes where they lie in a register; says in from_register_attr whether.
void fill_constant(Op& op, const Subgraph& subgraph);
inline constexpr const char* from_register_attr = "nerone_from_register";

}  // namespace nerone::xmodel
