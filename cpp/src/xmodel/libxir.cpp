#include "xmodel/libxir.hpp"

#include <UniLog/UniLog.hpp>
#include <mutex>
#include <vector>
#include <xir/op/op_def.hpp>

#include "xmodel/encode.hpp"

// libxir's registry of op definitions. It is in no installed header, so a libxir that does not export it must do too.
namespace xir {
class OpDefFactoryImp {
 public:
  __attribute__((weak)) const OpDef* create(const std::string& type) const;
  __attribute__((weak)) const std::vector<std::string> get_registered_ops() const;
};
__attribute__((weak)) OpDefFactoryImp* op_def_factory();
}  // namespace xir

namespace nerone::xmodel {

namespace {

using OpFunction = std::function<void(xir::Op*)>;

thread_local bool trust_shapes = false;

OpFunction unless_trusted(const OpFunction& function) {
  if (!function) return function;
  return [function](xir::Op* op) {
    if (!trust_shapes) function(op);
  };
}

// libxir infers every op's output shape while it builds a graph, indexing shapes and attributes unchecked, and then
// replaces the result by the tensor of the file. While this library loads a file (on this thread), the inference is
// left out. Graphs that others build are inferred as ever.
void make_inference_optional() {
  if (xir::op_def_factory == nullptr) return;
  auto* registry = xir::op_def_factory();
  for (const auto& type : registry->get_registered_ops()) {
    auto& definition = const_cast<xir::OpDef&>(*registry->create(type));
    definition.set_shape_infer(unless_trusted(definition.shape_infer()));
    for (auto& constraint : const_cast<std::vector<OpFunction>&>(definition.constraints())) {
      constraint = unless_trusted(constraint);
    }
  }
}

class TrustShapes {
 public:
  TrustShapes() { trust_shapes = true; }
  ~TrustShapes() { trust_shapes = false; }
  TrustShapes(const TrustShapes&) = delete;
  TrustShapes& operator=(const TrustShapes&) = delete;
};

}  // namespace

void make_checks_throw() {
  static std::once_flag once;
  std::call_once(once, [] { UniLog::mapLogConfig[UNI_LOG_CHECK_FAKE_LAYER] = true; });
}

// libxir knows "add", and leaves its shapes alone where the inference is optional. Of a type of our own it would warn.
const char* outlined_type() { return xir::op_def_factory != nullptr ? "add" : "nerone-outlined"; }

std::unique_ptr<xir::Graph> to_libxir(const Graph& graph) {
  // Custom ops are entered into the registry, which no lock of libxir's protects.
  static std::mutex mutex;
  static std::once_flag once;
  const auto bytes = encode(graph);
  return call_libxir([&] {
    const std::lock_guard lock(mutex);
    std::call_once(once, make_inference_optional);
    const TrustShapes trust;
    return xir::Graph::deserialize_from_string(bytes);
  });
}

}  // namespace nerone::xmodel
