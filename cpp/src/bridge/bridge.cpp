// The door as one VART's own headers and libraries open it. Built once; linked for each soname.

#include <cstring>
#include <nerone/error.hpp>
#include <unordered_map>
#include <xir/graph/subgraph.hpp>

#include "door/door.hpp"
#include "softdpu/plugin/make_runner.hpp"
#include "vart/foreign_runner.hpp"
#include "xmodel/describe.hpp"
#include "xmodel/infer.hpp"
#include "xmodel/libxir.hpp"
#include "xmodel/outline.hpp"

namespace nerone::bridge {

namespace {

class ForeignGraph : public door::Graph {
 public:
  explicit ForeignGraph(const xmodel::Graph& graph) : graph_(xmodel::to_libxir(graph)) {
    xmodel::call_libxir([&] {
      const xir::Graph& read_only = *graph_;
      for (const auto* child : read_only.get_root_subgraph()->get_children()) children_[child->get_name()] = child;
    });
  }

  const xir::Subgraph* child(const std::string& name) const override {
    const auto found = children_.find(name);
    if (found == children_.end()) throw ModelError("the model has no subgraph '" + name + "'");
    return found->second;
  }
  xmodel::Graph describe(const std::string& name) const override { return xmodel::describe(child(name)); }
  void infer_shapes() override { xmodel::infer_shapes(*graph_); }

 private:
  std::unique_ptr<xir::Graph> graph_;
  std::unordered_map<std::string, const xir::Subgraph*> children_;
};

class OutlinedGraph final : public ForeignGraph {
 public:
  explicit OutlinedGraph(const std::shared_ptr<const xmodel::Graph>& file)
      : ForeignGraph(xmodel::outline(*file, xmodel::outlined_type())) {
    for (const auto& origin : file->root.children) {
      if (origin.device() != "DPU") continue;
      outlined_.push_back(child(origin.name));
      xmodel::remember_origin(outlined_.back(), file, origin);
    }
  }
  ~OutlinedGraph() override {
    for (const auto* outlined : outlined_) xmodel::forget_origin(outlined);
  }
  OutlinedGraph(const OutlinedGraph&) = delete;
  OutlinedGraph& operator=(const OutlinedGraph&) = delete;

 private:
  std::vector<const xir::Subgraph*> outlined_;
};

class Bridge final : public door::Door {
 public:
  std::shared_ptr<door::Graph> make_graph(const xmodel::Graph& graph) const override {
    return std::make_shared<ForeignGraph>(graph);
  }
  std::shared_ptr<door::Graph> make_outline(std::shared_ptr<const xmodel::Graph> file) const override {
    return std::make_shared<OutlinedGraph>(file);
  }
  std::unique_ptr<door::Runner> make_runner(std::shared_ptr<door::Graph> graph, const std::string& subgraph,
                                            const std::string& library, const DeviceOptions& options) const override {
    return vart::make_foreign_runner(std::move(graph), subgraph, library, options);
  }
  ::vart::Runner* make_softdpu_runner(const xir::Subgraph* subgraph, xir::Attrs* attrs,
                                      const softdpu::Maker& maker) const override {
    return softdpu::make_runner(subgraph, attrs, maker);
  }
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const door::Door* nerone_vart_bridge(const char* version) {
  static const Bridge bridge;
  return std::strcmp(version, NERONE_VERSION) == 0 ? &bridge : nullptr;
}

}  // namespace nerone::bridge
