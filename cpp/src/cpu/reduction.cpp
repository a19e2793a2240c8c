// Float ops along axes: softmax, argmax and the reductions. Sums run in float32 in row-major order of what is reduced.

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/broadcast.hpp"

namespace nerone::cpu {

namespace {

// A tensor as [outer, count, inner] around one axis.
struct Line {
  std::int64_t outer = 1, count = 1, inner = 1;

  Line(const Node& node, std::int64_t axis) {
    const auto& shape = node.input().shape;
    const auto at = node.axis(axis, shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i) (i < at ? outer : i == at ? count : inner) *= shape[i];
  }

  // Calls visit(start) for every line; its elements lie at start + i * inner.
  template <typename Visit>
  void each(Visit visit) const {
    for (std::int64_t o = 0; o < outer; ++o) {
      for (std::int64_t i = 0; i < inner; ++i) visit(o * count * inner + i);
    }
  }
};

// exp(x - max) / sum, so that no exponential overflows.
Kernel make_softmax(const Node& node) {
  node.require_float();
  const Line line(node, node.integer_or("axis", -1));
  node.require_output_count(element_count(node.input().shape));
  return [line, from = node.position("input")](const void* const* inputs, void* output) {
    const auto* all = static_cast<const float*>(inputs[from]);
    line.each([&](std::int64_t start) {
      const auto* x = all + start;
      auto* y = static_cast<float*>(output) + start;
      float largest = x[0];
      for (std::int64_t i = 1; i < line.count; ++i) largest = std::max(largest, x[i * line.inner]);
      float sum = 0.0F;
      for (std::int64_t i = 0; i < line.count; ++i) sum += y[i * line.inner] = std::exp(x[i * line.inner] - largest);
      for (std::int64_t i = 0; i < line.count; ++i) y[i * line.inner] /= sum;
    });
  };
}

template <typename From, typename To>
Kernel find_largest(const Line& line, std::size_t from) {
  return [line, from](const void* const* inputs, void* output) {
    const auto* all = static_cast<const From*>(inputs[from]);
    auto* y = static_cast<To*>(output);
    line.each([&](std::int64_t start) {
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < line.count; ++i) {
        if (all[start + i * line.inner] > all[start + best * line.inner]) best = i;
      }
      *y++ = static_cast<To>(best);
    });
  };
}

template <typename From>
Kernel make_argmax_of(const Node& node, const Line& line) {
  const auto from = node.position("input");
  switch (node.output.dtype) {
    case DType::uint8:
      return find_largest<From, std::uint8_t>(line, from);
    case DType::int32:
      return find_largest<From, std::int32_t>(line, from);
    case DType::int64:
      return find_largest<From, std::int64_t>(line, from);
    case DType::float32:
      return find_largest<From, float>(line, from);
    default:
      node.refuse(std::string("writes ") + name_of(node.output.dtype) + ", expected uint8, int32, int64 or float32");
  }
}

// The first maximum wins.
Kernel make_argmax(const Node& node) {
  const Line line(node, node.integer_or("axis", -1));
  node.require_output_count(line.outer * line.inner);
  if (node.output.dtype == DType::uint8 && line.count > 256) node.refuse("numbers more than 256 classes in uint8");
  if (node.input().dtype == DType::float32) return make_argmax_of<float>(node, line);
  if (node.input().dtype == DType::int8) return make_argmax_of<std::int8_t>(node, line);
  node.refuse(std::string("reads ") + name_of(node.input().dtype) + ", expected float32 or int8");
}

struct Reduction {
  Shape kept, reduced;  // the extents of the axes of each kind
  std::vector<std::int64_t> kept_strides, reduced_strides;

  explicit Reduction(const Node& node) {
    const auto& shape = node.input().shape;
    const auto dense = dense_strides(shape);
    std::vector<bool> is_reduced(shape.size(), false);
    for (const auto axis : node.integers_or("axis", {})) is_reduced[node.axis(axis, shape.size())] = true;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      (is_reduced[axis] ? reduced : kept).push_back(shape[axis]);
      (is_reduced[axis] ? reduced_strides : kept_strides).push_back(dense[axis]);
    }
  }
};

template <float (*Function)(float, float)>
Kernel make_reduction(const Node& node, float start, bool mean) {
  node.require_float();
  const Reduction reduction(node);
  node.require_output_count(element_count(reduction.kept));
  const auto count = static_cast<float>(element_count(reduction.reduced));
  return [=, from = node.position("input")](const void* const* inputs, void* output) {
    const auto* x = static_cast<const float*>(inputs[from]);
    auto* y = static_cast<float*>(output);
    walk(reduction.kept, reduction.kept_strides, [&](std::int64_t base) {
      float value = start;
      walk(reduction.reduced, reduction.reduced_strides,
           [&](std::int64_t at) { value = Function(value, x[base + at]); });
      *y++ = mean ? value / count : value;
    });
  };
}

float plus(float a, float b) { return a + b; }
float times(float a, float b) { return a * b; }
float larger(float a, float b) { return std::max(a, b); }

Kernel make_sum(const Node& node) { return make_reduction<plus>(node, 0.0F, false); }
Kernel make_mean(const Node& node) { return make_reduction<plus>(node, 0.0F, true); }
Kernel make_product(const Node& node) { return make_reduction<times>(node, 1.0F, false); }
Kernel make_max(const Node& node) { return make_reduction<larger>(node, std::numeric_limits<float>::lowest(), false); }

// x / sqrt(max(sum of squares, epsilon)), TensorFlow's l2_normalize.
Kernel make_l2_normalize(const Node& node) {
  node.require_float();
  const Reduction reduction(node);
  node.require_output_count(element_count(node.input().shape));
  const auto epsilon = static_cast<float>(node.number_or("epsilon", 1e-12));
  return [=, from = node.position("input")](const void* const* inputs, void* output) {
    const auto* x = static_cast<const float*>(inputs[from]);
    auto* y = static_cast<float*>(output);
    walk(reduction.kept, reduction.kept_strides, [&](std::int64_t base) {
      float squares = 0.0F;
      const auto& shape = reduction.reduced;
      walk(shape, reduction.reduced_strides, [&](std::int64_t at) { squares += x[base + at] * x[base + at]; });
      const float scale = 1.0F / std::sqrt(std::max(squares, epsilon));
      walk(shape, reduction.reduced_strides, [&](std::int64_t at) { y[base + at] = x[base + at] * scale; });
    });
  };
}

}  // namespace

Kernels reduction_kernels() {
  return {{"softmax", make_softmax},           {"argmax", make_argmax},
          {"reduction_sum", make_sum},         {"reduction_mean", make_mean},
          {"reduction_product", make_product}, {"reduction_max", make_max},
          {"l2_normalize", make_l2_normalize}};
}

}  // namespace nerone::cpu
