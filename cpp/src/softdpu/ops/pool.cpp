#include "softdpu/ops/pool.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "softdpu/attributes.hpp"
#include "softdpu/fixed.hpp"

namespace nerone::softdpu {

Reciprocal average_reciprocal(int kernel_h, int kernel_w) {
  if (kernel_h == kernel_w) {
    switch (kernel_h) {
      case 3:
        return {7, 6};
      case 5:
        return {10, 8};
      case 6:
        return {7, 8};
      case 7:
        return {21, 10};
      case 14:
        return {21, 12};
      default:
        break;
    }
  }
  const double area = static_cast<double>(kernel_h) * kernel_w;
  const int limit = static_cast<int>(std::ceil(std::log2(area * 128)));
  Reciprocal best;
  double best_distance = 1.0;
  for (int shift = 0; shift < limit; ++shift) {
    const double factor = std::round(std::ldexp(1.0, shift) / area);
    const double distance = std::abs(std::ldexp(factor, -shift) - 1.0 / area);
    if (distance < best_distance) {
      best_distance = distance;
      best = {static_cast<std::int64_t>(factor), shift};
    }
  }
  return best;
}

namespace {

Window pool_window(const xmodel::Op& op, const Extents& input) {
  if (!bool_attr(op, "global", false)) return Window::parse(op);
  Window window;
  if (input.height > 1 << 16 || input.width > 1 << 16) refuse(op, "a global pool of this size is not supported");
  window.kernel_h = static_cast<int>(input.height);
  window.kernel_w = static_cast<int>(input.width);
  return window;
}

}  // namespace

Pool parse_pool(const xmodel::Op& op, const Value& input, const Value& output) {
  Pool pool;
  pool.input = extents_of(op, input);
  pool.window = pool_window(op, pool.input);
  pool.output = {pool.input.batch, pool.window.output_height(pool.input.height),
                 pool.window.output_width(pool.input.width), pool.input.channels};
  require_shape(op, output, pool.output);
  if (pool.window.dilation_h != 1 || pool.window.dilation_w != 1) refuse(op, "a dilated pool is not supported");
  pool.shift = input.fix_point - output.fix_point;
  const auto type = string_attr(op, "type", "");
  if (type == "AVG") {
    pool.kind = Pool::Kind::average;
    const auto reciprocal = average_reciprocal(pool.window.kernel_h, pool.window.kernel_w);
    pool.factor = reciprocal.factor;
    pool.shift += reciprocal.shift;
  } else if (type != "MAX") {
    refuse(op, "type '" + type + "' is not supported, expected MAX or AVG");
  }
  return pool;
}

Pool parse_reduction_max(const xmodel::Op& op, const Value& input, const Value& output) {
  constexpr int rows = 1, columns = 2, rank = 4;
  Pool pool;
  pool.input = extents_of(op, input);
  pool.output = pool.input;
  Shape kept{pool.input.batch};
  std::set<int> axes;
  const auto listed = xmodel::attr_or<std::vector<std::int32_t>>(op.attrs, "axis", {});
  for (const int axis : listed) axes.insert(axis < 0 ? axis + rank : axis);
  if (axes.empty() || *axes.begin() < rows || *axes.rbegin() > columns) {
    refuse(op, "reduces other axes than rows and columns; the DPU takes the maximum over these");
  }
  if (axes.count(rows) != 0) pool.window.kernel_h = static_cast<int>(std::exchange(pool.output.height, 1));
  if (axes.count(columns) != 0) pool.window.kernel_w = static_cast<int>(std::exchange(pool.output.width, 1));
  if (axes.count(rows) == 0) kept.push_back(pool.output.height);
  if (axes.count(columns) == 0) kept.push_back(pool.output.width);
  kept.push_back(pool.output.channels);
  if (bool_attr(op, "keep_dims", false)) {
    require_shape(op, output, pool.output);
  } else {
    require_shape(op, output, kept);
  }
  pool.shift = input.fix_point - output.fix_point;
  return pool;
}

namespace {

// The part of a window along one axis that lies inside the image.
struct Span {
  std::int64_t begin, end;
};

Span clip(std::int64_t out, int stride, int kernel, int pad, std::int64_t extent) {
  const auto begin = out * stride - pad;
  return {std::max<std::int64_t>(begin, 0), std::min<std::int64_t>(begin + kernel, extent)};
}

std::int64_t reduce(const Pool& pool, const std::int8_t* image, Span rows, Span columns, std::int64_t channel) {
  const bool is_max = pool.kind == Pool::Kind::max;
  std::int64_t result = is_max ? -128 : 0;
  for (auto y = rows.begin; y < rows.end; ++y) {
    for (auto x = columns.begin; x < columns.end; ++x) {
      const std::int64_t pixel = image[(y * pool.input.width + x) * pool.input.channels + channel];
      result = is_max ? std::max(result, pixel) : result + pixel;
    }
  }
  return result;
}

}  // namespace

void run_scalar(const Pool& pool, const std::int8_t* input, std::int8_t* output) {
  const auto& window = pool.window;
  const auto image_size = pool.input.height * pool.input.width * pool.input.channels;
  for (std::int64_t n = 0; n < pool.output.batch; ++n) {
    for (std::int64_t y = 0; y < pool.output.height; ++y) {
      const auto rows = clip(y, window.stride_h, window.kernel_h, window.pad_top, pool.input.height);
      for (std::int64_t x = 0; x < pool.output.width; ++x) {
        const auto columns = clip(x, window.stride_w, window.kernel_w, window.pad_left, pool.input.width);
        for (std::int64_t channel = 0; channel < pool.output.channels; ++channel) {
          *output++ =
              round_shift(pool.factor * reduce(pool, input + n * image_size, rows, columns, channel), pool.shift);
        }
      }
    }
  }
}

}  // namespace nerone::softdpu
