#pragma once

// A DPU subgraph with every attribute read, defaulted and checked: what all engines start from.

#include <cstddef>
#include <memory>
#include <nerone/xmodel.hpp>
#include <string>
#include <variant>
#include <vector>

#include "softdpu/ops/concat.hpp"
#include "softdpu/ops/conv.hpp"
#include "softdpu/ops/copy.hpp"
#include "softdpu/ops/crossing.hpp"
#include "softdpu/ops/downsample.hpp"
#include "softdpu/ops/eltwise.hpp"
#include "softdpu/ops/hard_sigmoid.hpp"
#include "softdpu/ops/pad.hpp"
#include "softdpu/ops/pool.hpp"
#include "softdpu/ops/tile.hpp"
#include "softdpu/ops/upsample.hpp"
#include "softdpu/value.hpp"

namespace nerone::softdpu {

using Operation =
    std::variant<Conv, Pool, Eltwise, Concat, Copy, Upsample, Downsample, Pad, Tile, HardSigmoid, Quantize, Dequantize>;

// One op to execute. A convolution's weights and bias are not among its inputs: Conv points to them.
struct Step {
  std::string name;  // the op's, for messages
  Operation operation;
  std::vector<std::size_t> inputs;  // indices into Program::values
  std::size_t output = 0;
};

struct Program {
  std::vector<Value> values;
  std::vector<Step> steps;  // in an order in which they can run
  std::vector<std::size_t> inputs;
  std::vector<std::size_t> outputs;

  std::vector<TensorInfo> input_infos() const;
  std::vector<TensorInfo> output_infos() const;
};

// Steps that reach no output are left out. ModelError names the op and the reason.
std::shared_ptr<const Program> parse_program(const xmodel::Graph& graph, const std::vector<std::string>& outputs = {});

}  // namespace nerone::softdpu
