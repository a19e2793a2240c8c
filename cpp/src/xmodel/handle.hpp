#pragma once

// The only header of the project that hands out libxir objects. For cpp/src/vart (which must give
// them to VART) and cpp/src/softdpu (which VART gives them to).

#include <filesystem>
#include <memory>
#include <nerone/xmodel.hpp>
#include <string>

namespace xir {
class Subgraph;
class Attrs;
}  // namespace xir

namespace nerone::xmodel {

// A validated file, deserialized once by libxir. Cheap to copy; keeps the libxir graph alive.
// All runners of a model are created from the same xir::Subgraph, so that weights are shared.
class Handle {
 public:
  static Handle load(const std::filesystem::path& file, const Limits& limits = {});

  const Graph& graph() const;
  // The libxir object of a root child, by the name it has in graph().root.children.
  const xir::Subgraph* subgraph(const std::string& name) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

// A subgraph that VART handed to a plug-in, as plain values: root has that subgraph only, ops in
// topological order, ops outside the subgraph that feed it appear as ops of type "data-fix" or "data". Every constant
// carries its bytes in attrs["data"], wherever the file keeps them (const-fix, or REG_0 at ddr_addr). Those of a
// register are as they lie there; compiled::restore_constants gives them the form that their tensor declares.
Graph describe(const xir::Subgraph* subgraph);

// True on the constants of a described graph that came from a register; set by describe() alone.
inline constexpr const char* from_register_attr = "nerone_from_register";

// Reading xir::Attrs given to create_runner_with_attrs, without touching libxir elsewhere.
std::int64_t int_attr_or(xir::Attrs* attrs, const std::string& key, std::int64_t fallback);
std::string string_attr_or(xir::Attrs* attrs, const std::string& key, const std::string& fallback);

}  // namespace nerone::xmodel
