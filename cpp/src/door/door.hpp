#pragma once

// VART, XIR and UniLog seen from the core, without a type of theirs. The other side, cpp/src/bridge, is a library of
// its own for each soname that the three have; installation.hpp opens the one that fits what is installed.

#include <cstdint>
#include <memory>
#include <nerone/device.hpp>
#include <nerone/tensor.hpp>
#include <nerone/xmodel.hpp>
#include <string>
#include <vector>

#include "door/port.hpp"

namespace xir {
class Attrs;
class Subgraph;
}  // namespace xir
namespace vart {
class Runner;
}
namespace nerone::softdpu {
struct Maker;
}

namespace nerone::door {

// A checked graph as libxir holds it. Runners made from it must not outlive it.
class Graph {
 public:
  virtual ~Graph() = default;
  // The libxir object of a root child; ModelError where there is none of that name.
  virtual const xir::Subgraph* child(const std::string& name) const = 0;
  // See xmodel/describe.hpp.
  virtual xmodel::Graph describe(const std::string& child) const = 0;
  // See xmodel/infer.hpp.
  virtual void infer_shapes() = 0;
};

// See vart/dpu_runner.hpp.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual const std::vector<Port>& inputs() const = 0;
  virtual const std::vector<Port>& outputs() const = 0;
  virtual std::uint32_t start() = 0;
  virtual std::uint32_t start_on(const std::vector<TensorView>& inputs, const std::vector<TensorView>& outputs) = 0;
  virtual void finish(std::uint32_t job, int timeout_ms) = 0;
};

class Door {
 public:
  // ModelError where libxir refuses the graph.
  virtual std::shared_ptr<Graph> make_graph(const xmodel::Graph& graph) const = 0;
  // For runners of the software DPU only, which reads the file itself: libxir holds no more than what VART looks at.
  virtual std::shared_ptr<Graph> make_outline(std::shared_ptr<const xmodel::Graph> file) const = 0;
  // `library` is what VART opens for the DPU. DeviceError where it makes no usable runner.
  virtual std::unique_ptr<Runner> make_runner(std::shared_ptr<Graph> graph, const std::string& subgraph,
                                              const std::string& library, const DeviceOptions& options) const = 0;
  // The software DPU as a runner of VART's.
  virtual ::vart::Runner* make_softdpu_runner(const xir::Subgraph* subgraph, xir::Attrs* attrs,
                                              const softdpu::Maker& maker) const = 0;

 protected:
  ~Door() = default;
};

// The one function that a bridge exports. Both sides are of one build; a bridge of another version returns nullptr.
constexpr const char* bridge_entry_point = "nerone_vart_bridge";
using BridgeEntryPoint = const Door* (*)(const char* version);

}  // namespace nerone::door
