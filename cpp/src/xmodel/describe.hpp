#pragma once

#include <memory>
#include <nerone/xmodel.hpp>
#include <string>

namespace xir {
class Subgraph;
class Attrs;
}  // namespace xir

namespace nerone::xmodel {

// A subgraph that VART handed to a plug-in, as plain values: root has that subgraph only, ops in
// topological order, ops outside the subgraph that feed it appear as ops of type "data-fix" or "data". Every constant
// carries its bytes in attrs["data"], wherever the file keeps them (const-fix, or REG_0 at ddr_addr). Those of a
// register are as they lie there; compiled::restore_constants gives them the form that their tensor declares.
Graph describe(const xir::Subgraph* subgraph);

// Makes describe() give `child`, a root child of the file, for a subgraph of the file's outline (outline.hpp). To be
// forgotten before the subgraph goes. Thread-safe.
void remember_origin(const xir::Subgraph* outlined, std::shared_ptr<const Graph> file, const Subgraph& child);
void forget_origin(const xir::Subgraph* outlined);

// Reading xir::Attrs given to create_runner_with_attrs, without touching libxir elsewhere.
std::int64_t int_attr_or(xir::Attrs* attrs, const std::string& key, std::int64_t fallback);
std::string string_attr_or(xir::Attrs* attrs, const std::string& key, const std::string& fallback);

}  // namespace nerone::xmodel
