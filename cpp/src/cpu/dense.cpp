// Float products of matrices; sums run in float32 in rising order of the inner index, the bias is added last.

#include <algorithm>

#include "cpu/broadcast.hpp"

namespace nerone::cpu {

namespace {

// y[r, c] = sum over i of a[r, i] * b[i, c], with strides in elements.
struct Matrix {
  std::int64_t rows, columns, row_stride, column_stride;

  Matrix transposed() const { return {columns, rows, column_stride, row_stride}; }
};

void multiply(const float* a, const Matrix& left, const float* b, const Matrix& right, const float* bias, float* y) {
  for (std::int64_t row = 0; row < left.rows; ++row, y += right.columns) {
    std::fill(y, y + right.columns, 0.0F);
    for (std::int64_t i = 0; i < left.columns; ++i) {
      const float value = a[row * left.row_stride + i * left.column_stride];
      const float* from = b + i * right.row_stride;
      for (std::int64_t column = 0; column < right.columns; ++column)
        y[column] += value * from[column * right.column_stride];
    }
    for (std::int64_t column = 0; bias != nullptr && column < right.columns; ++column) y[column] += bias[column];
  }
}

void require_bias(const Node& node, std::int64_t columns) {
  if (node.has("bias") && element_count(node.input("bias").shape) != columns) {
    node.refuse("bias has shape " + to_string(node.input("bias").shape) + ", expected " + std::to_string(columns) +
                " values");
  }
}

// Caffe's: axes from `axis` on are flattened; weights [out, in], or [in, out] where only that fits.
Kernel make_inner_product(const Node& node) {
  node.require_float();
  const auto& shape = node.input().shape;
  const auto axis = node.axis(node.integer_or("axis", 1), shape.size());
  const Shape outer(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(axis));
  const auto rows = element_count(outer), inner = element_count(shape) / std::max<std::int64_t>(rows, 1);
  const auto& weights = node.input("weights").shape;
  const auto columns = element_count(weights) / std::max<std::int64_t>(inner, 1);
  if (columns * inner != element_count(weights) || inner == 0) {
    node.refuse("weights of shape " + to_string(weights) + " do not fit input " + to_string(shape));
  }
  node.require_output_count(rows * columns);
  require_bias(node, columns);
  const bool in_out = weights.front() != columns && weights.back() == columns;
  const Matrix right = in_out ? Matrix{inner, columns, columns, 1} : Matrix{inner, columns, 1, inner};
  return [=, left = Matrix{rows, inner, inner, 1}, x = node.position("input"), w = node.position("weights"),
          has_bias = node.has("bias"),
          bias = node.has("bias") ? node.position("bias") : 0](const void* const* inputs, void* output) {
    multiply(static_cast<const float*>(inputs[x]), left, static_cast<const float*>(inputs[w]), right,
             has_bias ? static_cast<const float*>(inputs[bias]) : nullptr, static_cast<float*>(output));
  };
}

struct Operand {
  Matrix matrix;
  Shape batch;

  Operand(const Node& node, const Shape& shape, bool transpose) : matrix{} {
    if (shape.size() < 2) node.refuse("multiplies shape " + to_string(shape) + ", expected at least two axes");
    const auto rows = shape[shape.size() - 2], columns = shape.back();
    matrix = {rows, columns, columns, 1};
    if (transpose) matrix = matrix.transposed();
    batch.assign(shape.begin(), shape.end() - 2);
  }
};

Kernel make_matmul(const Node& node) {
  node.require_float();
  const auto first = node.position("input");
  const auto& operands = node.op.inputs.at("input");
  if (operands.size() != 2) node.refuse("has " + std::to_string(operands.size()) + " operands, expected 2");
  const Operand a(node, node.inputs[first].shape, node.flag_or("transpose_a", false));
  const Operand b(node, node.inputs[first + 1].shape, node.flag_or("transpose_b", false));
  if (a.matrix.columns != b.matrix.rows) {
    node.refuse("cannot multiply " + to_string(node.inputs[first].shape) + " by " +
                to_string(node.inputs[first + 1].shape));
  }
  if (node.output.shape.size() < 2) node.refuse("writes shape " + to_string(node.output.shape));
  const Shape batch(node.output.shape.begin(), node.output.shape.end() - 2);
  const auto a_strides = broadcast_strides(node, a.batch, batch), b_strides = broadcast_strides(node, b.batch, batch);
  const auto a_size = a.matrix.rows * a.matrix.columns, b_size = b.matrix.rows * b.matrix.columns;
  const auto step = a.matrix.rows * b.matrix.columns;
  node.require_output_count(element_count(batch) * step);
  require_bias(node, b.matrix.columns);
  std::vector<std::int64_t> a_at, b_at;
  walk(batch, a_strides, [&](std::int64_t at) { a_at.push_back(at * a_size); });
  walk(batch, b_strides, [&](std::int64_t at) { b_at.push_back(at * b_size); });
  return [=, left = a.matrix, right = b.matrix, has_bias = node.has("bias"),
          bias = node.has("bias") ? node.position("bias") : 0](const void* const* inputs, void* output) {
    auto* y = static_cast<float*>(output);
    for (std::size_t i = 0; i < a_at.size(); ++i, y += step) {
      multiply(static_cast<const float*>(inputs[first]) + a_at[i], left,
               static_cast<const float*>(inputs[first + 1]) + b_at[i], right,
               has_bias ? static_cast<const float*>(inputs[bias]) : nullptr, y);
    }
  };
}

}  // namespace

Kernels dense_kernels() { return {{"inner-product", make_inner_product}, {"matmul", make_matmul}}; }

}  // namespace nerone::cpu
