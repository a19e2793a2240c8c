// Float ops of one value. Formulas as in Keras' activations, except where a line says otherwise.

#include <algorithm>
#include <cmath>

#include "cpu/node.hpp"

namespace nerone::cpu {

namespace {

float sigmoid(float x) { return 1.0F / (1.0F + std::exp(-x)); }
float relu6(float x) { return std::min(std::max(x, 0.0F), 6.0F); }
float hard_sigmoid(float x) { return relu6(x + 3.0F) / 6.0F; }

template <typename Function>
Kernel map_values(const Node& node, Function function) {
  node.require_float();
  const auto count = element_count(node.input().shape);
  node.require_output_count(count);
  return [count, function, from = node.position("input")](const void* const* inputs, void* output) {
    const auto* x = static_cast<const float*>(inputs[from]);
    auto* y = static_cast<float*>(output);
    for (std::int64_t i = 0; i < count; ++i) y[i] = function(x[i]);
  };
}

template <float (*Function)(float)>
Kernel make_plain(const Node& node) {
  return map_values(node, [](float x) { return Function(x); });
}

float relu(float x) { return std::max(x, 0.0F); }
float swish(float x) { return x * sigmoid(x); }
float hard_swish(float x) { return x * hard_sigmoid(x); }
float hard_tanh(float x) { return std::min(std::max(x, -1.0F), 1.0F); }
float tanh_of(float x) { return std::tanh(x); }
float exp_of(float x) { return std::exp(x); }
float negative(float x) { return -x; }
float gelu(float x) { return 0.5F * x * (1.0F + std::erf(x * 0.70710678F)); }
// Klambauer et al. 2017, self-normalizing neural networks.
float selu(float x) { return 1.05070098F * (x > 0.0F ? x : 1.67326324F * std::expm1(x)); }

Kernel make_leaky_relu(const Node& node) {
  const auto alpha = static_cast<float>(node.number_or("alpha", 0.0));
  return map_values(node, [alpha](float x) { return x < 0.0F ? x * alpha : x; });
}

Kernel make_elu(const Node& node) {
  const auto alpha = static_cast<float>(node.number_or("alpha", 1.0));
  return map_values(node, [alpha](float x) { return x > 0.0F ? x : alpha * std::expm1(x); });
}

Kernel make_celu(const Node& node) {
  const auto alpha = static_cast<float>(node.number_or("alpha", 1.0));
  if (!(alpha != 0.0F)) node.refuse("alpha is 0");
  return map_values(node,
                    [alpha](float x) { return std::max(0.0F, x) + std::min(0.0F, alpha * std::expm1(x / alpha)); });
}

}  // namespace

Kernels elementwise_kernels() {
  return {{"relu", make_plain<relu>},
          {"relu6", make_plain<relu6>},
          {"leaky-relu", make_leaky_relu},
          {"elu", make_elu},
          {"celu", make_celu},
          {"selu", make_plain<selu>},
          {"gelu", make_plain<gelu>},
          {"sigmoid", make_plain<sigmoid>},
          {"swish", make_plain<swish>},
          {"tanh", make_plain<tanh_of>},
          {"hard-sigmoid", make_plain<hard_sigmoid>},
          {"hard-swish", make_plain<hard_swish>},
          {"hard-tanh", make_plain<hard_tanh>},
          {"exp", make_plain<exp_of>},
          {"neg", make_plain<negative>}};
}

}  // namespace nerone::cpu
