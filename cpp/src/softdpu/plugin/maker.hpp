#pragma once

#include <memory>
#include <string>

#include "softdpu/engine.hpp"

namespace nerone::softdpu {

// Interface through which the runner, built once for each VART, uses the software DPU, built once.
struct Maker {
  Kernels (*kernels_from)(const std::string& name) = nullptr;
  std::shared_ptr<const Engine> (*make_engine)(const xmodel::Graph& graph, const EngineOptions& options) = nullptr;
};

inline const Maker& this_maker() {
  static const Maker maker{&kernels_from, &make_engine};
  return maker;
}

}  // namespace nerone::softdpu
