// Float ops of several values with numpy's broadcasting, in the order of the inputs.

#include <algorithm>
#include <cmath>

#include "cpu/broadcast.hpp"

namespace nerone::cpu {

std::vector<std::int64_t> dense_strides(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t step = 1;
  for (auto axis = shape.size(); axis-- > 0;) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}

std::vector<std::int64_t> broadcast_strides(const Node& node, const Shape& shape, const Shape& target) {
  if (shape.size() > target.size())
    node.refuse("shape " + to_string(shape) + " has more axes than " + to_string(target));
  const auto dense = dense_strides(shape);
  const auto missing = target.size() - shape.size();
  std::vector<std::int64_t> strides(target.size(), 0);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == target[missing + axis]) {
      strides[missing + axis] = dense[axis];
    } else if (shape[axis] != 1) {
      node.refuse("shape " + to_string(shape) + " does not broadcast to " + to_string(target));
    }
  }
  return strides;
}

namespace {

template <float (*Function)(float, float)>
Kernel make_folding(const Node& node) {
  node.require_float();
  std::vector<std::vector<std::int64_t>> strides;
  for (const auto& input : node.inputs) strides.push_back(broadcast_strides(node, input.shape, node.output.shape));
  if (strides.empty()) node.refuse("has no inputs");
  return [strides, shape = node.output.shape](const void* const* inputs, void* output) {
    auto* y = static_cast<float*>(output);
    auto* first = y;
    walk(shape, strides[0], [&](std::int64_t at) { *first++ = static_cast<const float*>(inputs[0])[at]; });
    for (std::size_t i = 1; i < strides.size(); ++i) {
      const auto* x = static_cast<const float*>(inputs[i]);
      auto* to = y;
      walk(shape, strides[i], [&](std::int64_t at) {
        *to = Function(*to, x[at]);
        ++to;
      });
    }
  };
}

float sum(float a, float b) { return a + b; }
float difference(float a, float b) { return a - b; }
float product(float a, float b) { return a * b; }
float quotient(float a, float b) { return a / b; }
float smaller(float a, float b) { return std::min(a, b); }
float larger(float a, float b) { return std::max(a, b); }

// Views a tensor as [outer, channels, inner] around an axis, for parameters with one value per channel.
struct Channels {
  std::int64_t outer = 1, count = 1, inner = 1;

  Channels(const Node& node, const Shape& shape, std::int64_t axis) {
    const auto at = node.axis(axis, shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i) (i < at ? outer : i == at ? count : inner) *= shape[i];
  }
};

// y = scale * x + offset per channel; `parameters` gives the two for each channel from the op's inputs.
template <typename Parameters>
Kernel make_per_channel(const Node& node, std::int64_t axis, Parameters parameters) {
  node.require_float();
  const Channels channels(node, node.input().shape, axis);
  for (const auto& tensor : node.inputs) {
    if (&tensor != &node.input() && element_count(tensor.shape) != channels.count) {
      node.refuse("parameter '" + tensor.name + "' has shape " + to_string(tensor.shape) + ", expected " +
                  std::to_string(channels.count) + " values");
    }
  }
  node.require_output_count(element_count(node.input().shape));
  return [channels, parameters, from = node.position("input")](const void* const* inputs, void* output) {
    const auto* x = static_cast<const float*>(inputs[from]);
    auto* y = static_cast<float*>(output);
    for (std::int64_t outer = 0; outer < channels.outer; ++outer) {
      for (std::int64_t channel = 0; channel < channels.count; ++channel) {
        const auto [scale, offset] = parameters(inputs, channel);
        for (std::int64_t i = 0; i < channels.inner; ++i) *y++ = *x++ * scale + offset;
      }
    }
  };
}

float at(const void* const* inputs, std::size_t input, std::int64_t channel) {
  return static_cast<const float*>(inputs[input])[channel];
}

Kernel make_scale(const Node& node) {
  const auto scale = node.position("scale");
  const bool has_bias = node.has("bias");
  const auto bias = has_bias ? node.position("bias") : 0;
  return make_per_channel(node, node.integer_or("axis", -1), [=](const void* const* inputs, std::int64_t channel) {
    return std::pair(at(inputs, scale, channel), has_bias ? at(inputs, bias, channel) : 0.0F);
  });
}

Kernel make_batchnorm(const Node& node) {
  const auto gamma = node.position("gamma"), beta = node.position("beta");
  const auto mean = node.position("moving_mean"), variance = node.position("moving_var");
  const auto epsilon = static_cast<float>(node.number_or("epsilon", 0.0));
  return make_per_channel(node, node.integer_or("axis", -1), [=](const void* const* inputs, std::int64_t channel) {
    const float scale = at(inputs, gamma, channel) / std::sqrt(at(inputs, variance, channel) + epsilon);
    return std::pair(scale, at(inputs, beta, channel) - at(inputs, mean, channel) * scale);
  });
}

}  // namespace

Kernels arithmetic_kernels() {
  return {{"add", make_folding<sum>},      {"sub", make_folding<difference>}, {"mul", make_folding<product>},
          {"div", make_folding<quotient>}, {"min", make_folding<smaller>},    {"max", make_folding<larger>},
          {"scale", make_scale},           {"batchnorm", make_batchnorm}};
}

}  // namespace nerone::cpu
