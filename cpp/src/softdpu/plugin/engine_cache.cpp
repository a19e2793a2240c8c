#include "softdpu/plugin/engine_cache.hpp"

#include <map>
#include <mutex>
#include <nerone/error.hpp>
#include <tuple>

#include "compiled/constants.hpp"
#include "xmodel/boundary.hpp"
#include "xmodel/describe.hpp"

namespace nerone::softdpu {

namespace {

constexpr const char* family = "DPUCZDX8G";

void check_family(const xmodel::Attrs& attrs) {
  const auto name = xmodel::attr_or<std::string>(attrs, "dpu_name", family);
  if (name.rfind(family, 0) == 0) return;
  throw ModelError("the model was compiled for " + name + "; the software DPU runs models of the " + family +
                   " family only (Ultra96, KV260, ZCU102, ZCU104): compile it for one of these");
}

std::shared_ptr<const Engine> plan(const xir::Subgraph* subgraph, Kernels kernels, int threads, const Maker& maker) {
  auto graph = xmodel::describe(subgraph);
  check_family(graph.root.attrs);
  for (const auto& child : graph.root.children) check_family(child.attrs);
  compiled::restore_constants(graph);
  EngineOptions options;
  options.kernels = kernels;
  options.threads = threads;
  for (const auto* tensor : xmodel::boundary_of(subgraph).outputs) options.outputs.push_back(xmodel::name_of(tensor));
  return maker.make_engine(graph, options);
}

}  // namespace

std::shared_ptr<const Engine> shared_engine(const xir::Subgraph* subgraph, Kernels kernels, int threads,
                                            const Maker& maker) {
  using Key = std::tuple<const xir::Subgraph*, Kernels, int>;
  // A subgraph lives as long as its runners, so a live entry cannot mean another graph at the same address.
  static std::mutex mutex;
  static std::map<Key, std::weak_ptr<const Engine>> engines;
  const std::lock_guard lock(mutex);
  for (auto entry = engines.begin(); entry != engines.end();) {
    entry = entry->second.expired() ? engines.erase(entry) : std::next(entry);
  }
  auto& entry = engines[{subgraph, kernels, threads}];
  auto engine = entry.lock();
  if (!engine) entry = engine = plan(subgraph, kernels, threads, maker);
  return engine;
}

}  // namespace nerone::softdpu
