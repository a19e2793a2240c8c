// Ops that move values and change none, for every dtype.

#include <algorithm>
#include <cstring>
#include <numeric>

#include "cpu/broadcast.hpp"

namespace nerone::cpu {

namespace {

using Strides = std::vector<std::int64_t>;

// The output in row-major order reads the input at `start` + `strides` * index. Elements that follow each other in both
// are copied as one.
Kernel gather(const Node& node, Shape shape, Strides strides, std::int64_t start) {
  node.require_same_dtype();
  node.require_output_count(element_count(shape));
  const auto item = static_cast<std::int64_t>(size_of(node.output.dtype));
  std::int64_t run = 1;
  while (!shape.empty() && (strides.back() == run || shape.back() == 1)) {
    run *= shape.back();
    shape.pop_back();
    strides.pop_back();
  }
  return [=, from = node.position("input")](const void* const* inputs, void* output) {
    const auto* x = static_cast<const char*>(inputs[from]) + start * item;
    auto* y = static_cast<char*>(output);
    walk(shape, strides, [&](std::int64_t at) {
      std::memcpy(y, x + at * item, static_cast<std::size_t>(run * item));
      y += run * item;
    });
  };
}

// Bytes unchanged under another shape. XIR has inferred the shape, whatever attributes it came from.
Kernel make_copy(const Node& node) {
  if (node.input().dtype != node.output.dtype) node.refuse("changes the dtype");
  node.require_output_count(element_count(node.input().shape));
  const auto bytes = static_cast<std::size_t>(size_bytes(node.output));
  return [bytes, from = node.position("input")](const void* const* inputs, void* output) {
    std::memcpy(output, inputs[from], bytes);
  };
}

Kernel make_transpose(const Node& node) {
  const auto& shape = node.input().shape;
  const auto order = node.integers_or("order", {});
  auto sorted = order;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::int64_t> expected(shape.size());
  std::iota(expected.begin(), expected.end(), 0);
  if (sorted != expected) node.refuse("order is no permutation of the " + std::to_string(shape.size()) + " axes");
  const auto dense = dense_strides(shape);
  Shape transposed;
  Strides strides;
  for (const auto axis : order) {
    transposed.push_back(shape[static_cast<std::size_t>(axis)]);
    strides.push_back(dense[static_cast<std::size_t>(axis)]);
  }
  node.require_output_shape(transposed);
  return gather(node, transposed, strides, 0);
}

// TensorFlow's strided_slice: masks are bit sets of axes; counting from the end and clipping as in Python.
Kernel make_strided_slice(const Node& node) {
  const auto& shape = node.input().shape;
  const auto begin = node.integers_or("begin", {}), end = node.integers_or("end", {});
  const auto steps = node.integers_or("strides", std::vector<std::int64_t>(begin.size(), 1));
  if (begin.size() != end.size() || begin.size() != steps.size() || begin.size() > shape.size()) {
    node.refuse("begin, end and strides do not have one number per axis of " + to_string(shape));
  }
  const auto begin_mask = node.integer_or("begin_mask", 0), end_mask = node.integer_or("end_mask", 0);
  const auto shrink_mask = node.integer_or("shrink_axis_mask", 0);
  auto sliced = shape;
  auto strides = dense_strides(shape);
  std::int64_t start = 0;
  for (std::size_t axis = 0; axis < begin.size(); ++axis) {
    const auto extent = shape[axis];
    const auto step = steps[axis];
    if (step == 0) node.refuse("a stride of 0");
    const auto low = step > 0 ? std::int64_t{0} : std::int64_t{-1};
    const auto high = step > 0 ? extent : extent - 1;
    const auto clip = [&](std::int64_t at) { return std::clamp(at < 0 ? at + extent : at, low, high); };
    const bool shrink = (shrink_mask >> axis & 1) != 0;
    const auto first = (begin_mask >> axis & 1) != 0 ? (step > 0 ? 0 : extent - 1) : clip(begin[axis]);
    const auto last = shrink ? first + step : (end_mask >> axis & 1) != 0 ? (step > 0 ? extent : -1) : clip(end[axis]);
    sliced[axis] = std::max<std::int64_t>(0, (last - first + step - (step > 0 ? 1 : -1)) / step);
    if (sliced[axis] == 0) node.refuse("slices nothing from axis " + std::to_string(axis));
    start += first * strides[axis];
    strides[axis] *= step;
  }
  return gather(node, sliced, strides, start);
}

// Inputs as rows that follow each other: concat of any axis, and stack.
Kernel join(const Node& node, std::int64_t outer) {
  node.require_same_dtype();
  std::vector<std::size_t> rows;
  std::int64_t total = 0;
  for (const auto& input : node.inputs) {
    rows.push_back(static_cast<std::size_t>(size_bytes(input) / outer));
    total += element_count(input.shape);
  }
  node.require_output_count(total);
  return [rows, outer](const void* const* inputs, void* output) {
    auto* y = static_cast<char*>(output);
    for (std::int64_t row = 0; row < outer; ++row) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        std::memcpy(y, static_cast<const char*>(inputs[i]) + static_cast<std::size_t>(row) * rows[i], rows[i]);
        y += rows[i];
      }
    }
  };
}

Kernel make_concat(const Node& node) {
  const auto& first = node.input().shape;
  const auto axis = node.axis(node.integer("axis"), first.size());
  for (const auto& input : node.inputs) {
    auto other = input.shape;
    if (other.size() == first.size()) other[axis] = first[axis];
    if (other != first) node.refuse("cannot join " + to_string(input.shape) + " to " + to_string(first));
  }
  return join(node, element_count(Shape(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(axis))));
}

Kernel make_stack(const Node& node) {
  const auto& first = node.input().shape;
  for (const auto& input : node.inputs) {
    if (input.shape != first) node.refuse("cannot stack " + to_string(input.shape) + " on " + to_string(first));
  }
  const auto axis = node.axis(node.integer("axis"), first.size() + 1);
  return join(node, element_count(Shape(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(axis))));
}

// Where padding reads: an index into the input, or -1 for the constant.
std::int64_t padded_source(std::int64_t at, std::int64_t extent, const std::string& mode) {
  if (at >= 0 && at < extent) return at;
  if (mode == "REFLECT") return at < 0 ? -at : 2 * extent - 2 - at;
  if (mode == "SYMMETRIC") return at < 0 ? -at - 1 : 2 * extent - 1 - at;
  return -1;
}

struct Padding {
  std::vector<std::vector<std::int64_t>> sources;  // per axis and output index
  Strides strides;
  double constant = 0;
};

Padding padding_of(const Node& node) {
  const auto& shape = node.input().shape;
  const auto paddings = node.integers_or("paddings", {});
  const auto mode = node.text_or("mode", "CONSTANT");
  if (mode != "CONSTANT" && mode != "REFLECT" && mode != "SYMMETRIC") node.refuse("mode '" + mode + "' is unknown");
  if (paddings.size() != 2 * shape.size()) node.refuse("paddings has not two numbers per axis");
  const auto constants = node.numbers_or("constant_values", {0.0});
  if (std::any_of(constants.begin(), constants.end(), [&](double value) { return value != constants.front(); })) {
    node.refuse("constant_values differ between the sides");
  }
  Padding padding{{}, dense_strides(shape), constants.empty() ? 0.0 : constants.front()};
  Shape padded;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const auto before = paddings[2 * axis], after = paddings[2 * axis + 1], extent = shape[axis];
    const auto most = mode == "CONSTANT" ? std::int64_t{1} << 30 : mode == "REFLECT" ? extent - 1 : extent;
    if (before < 0 || after < 0 || before > most || after > most) {
      node.refuse("cannot pad axis " + std::to_string(axis) + " of extent " + std::to_string(extent) + " by " +
                  std::to_string(before) + " and " + std::to_string(after));
    }
    padded.push_back(before + extent + after);
  }
  node.require_output_shape(padded);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    padding.sources.emplace_back();
    for (std::int64_t i = 0; i < padded[axis]; ++i) {
      padding.sources.back().push_back(padded_source(i - paddings[2 * axis], shape[axis], mode));
    }
  }
  return padding;
}

template <typename T>
void pad(const Padding& padding, std::size_t axis, const T* x, T*& y) {
  for (const auto source : padding.sources[axis]) {
    const T* from = source < 0 || x == nullptr ? nullptr : x + source * padding.strides[axis];
    if (axis + 1 < padding.sources.size()) {
      pad(padding, axis + 1, from, y);
    } else {
      *y++ = from == nullptr ? static_cast<T>(padding.constant) : *from;
    }
  }
}

Kernel make_pad(const Node& node) {
  node.require_same_dtype();
  if (node.input().shape.empty()) node.refuse("reads a tensor without axes");
  const auto from = node.position("input");
  const auto padding = padding_of(node);
  if (node.output.dtype == DType::float32) {
    return [=](const void* const* inputs, void* output) {
      auto* y = static_cast<float*>(output);
      pad(padding, 0, static_cast<const float*>(inputs[from]), y);
    };
  }
  if (node.output.dtype != DType::int8) node.refuse("pads float32 and int8 only");
  return [=](const void* const* inputs, void* output) {
    auto* y = static_cast<std::int8_t*>(output);
    pad(padding, 0, static_cast<const std::int8_t*>(inputs[from]), y);
  };
}

}  // namespace

Kernels layout_kernels() {
  return {{"identity", make_copy},    {"upload", make_copy},         {"download", make_copy},
          {"placeholder", make_copy}, {"reshape", make_copy},        {"flatten", make_copy},
          {"squeeze", make_copy},     {"transpose", make_transpose}, {"strided_slice", make_strided_slice},
          {"concat", make_concat},    {"stack", make_stack},         {"pad", make_pad}};
}

}  // namespace nerone::cpu
