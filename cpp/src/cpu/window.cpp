// Float ops over windows of an NHWC image: convolutions and pools. `kernel`, `stride` and `dilation` are {w, h}, `pad`
// is {left, right, top, bottom}. Weights are [Co, Kh, Kw, Ci]; depthwise [M, Kh, Kw, C] with output channel c * M + m.
// Sums run in float32 over ky, kx, then input channels, in rising order; the bias is added last.

#include <algorithm>
#include <limits>

#include "cpu/node.hpp"

namespace nerone::cpu {

namespace {

struct Image {
  std::int64_t n, h, w, c;

  Image(const Node& node, const TensorInfo& tensor) {
    if (tensor.shape.size() != 4)
      node.refuse("'" + tensor.name + "' has shape " + to_string(tensor.shape) + ", expected four axes");
    n = tensor.shape[0], h = tensor.shape[1], w = tensor.shape[2], c = tensor.shape[3];
  }
  std::int64_t at(std::int64_t in, std::int64_t ih, std::int64_t iw) const { return ((in * h + ih) * w + iw) * c; }
};

struct Window {
  std::int64_t kw, kh, sw, sh, dw, dh, left, right, top, bottom;

  explicit Window(const Node& node) {
    const auto kernel = pair(node, "kernel", {}), stride = pair(node, "stride", kernel),
               dilation = pair(node, "dilation", {1, 1});
    kw = kernel[0], kh = kernel[1], sw = stride[0], sh = stride[1], dw = dilation[0], dh = dilation[1];
    const auto pads = node.integers_or("pad", {0, 0, 0, 0});
    if (pads.size() != 4) node.refuse("pad has not four numbers");
    left = pads[0], right = pads[1], top = pads[2], bottom = pads[3];
    for (const auto pad : pads) {
      if (pad < 0 || pad > 1 << 20) node.refuse("a pad of " + std::to_string(pad));
    }
  }

 private:
  static std::vector<std::int64_t> pair(const Node& node, const std::string& key, std::vector<std::int64_t> fallback) {
    const auto values = node.integers_or(key, std::move(fallback));
    const auto bad = [](std::int64_t value) { return value < 1 || value > 1 << 20; };
    if (values.size() != 2 || std::any_of(values.begin(), values.end(), bad))
      node.refuse("needs two positive numbers in '" + key + "'");
    return values;
  }
};

struct Convolution {
  Image in, out;
  Window window;
  std::int64_t multiplier = 0;  // 0: not depthwise
  std::size_t input, weights, bias;
  bool has_bias;

  // The channels that one pixel gives to one output pixel through the kernel's element (ky, kx).
  void accumulate(const float* x, const float* w, std::int64_t ky, std::int64_t kx, float* y) const {
    const auto tap = ky * window.kw + kx, taps = window.kw * window.kh;
    if (multiplier > 0) {
      for (std::int64_t c = 0; c < in.c; ++c) {
        for (std::int64_t m = 0; m < multiplier; ++m) y[c * multiplier + m] += x[c] * w[(m * taps + tap) * in.c + c];
      }
      return;
    }
    for (std::int64_t o = 0; o < out.c; ++o) {
      const auto* row = w + (o * taps + tap) * in.c;
      float sum = y[o];
      for (std::int64_t c = 0; c < in.c; ++c) sum += x[c] * row[c];
      y[o] = sum;
    }
  }
};

Convolution convolution_of(const Node& node, bool depthwise) {
  node.require_float();
  const bool has_bias = node.has("bias");
  Convolution conv{Image(node, node.input()),
                   Image(node, node.output),
                   Window(node),
                   0,
                   node.position("input"),
                   node.position("weights"),
                   has_bias ? node.position("bias") : 0,
                   has_bias};
  const Image weights(node, node.input("weights"));
  if (depthwise) conv.multiplier = weights.n;
  const auto channels = depthwise ? conv.in.c * weights.n : weights.n;
  if (weights.h != conv.window.kh || weights.w != conv.window.kw || weights.c != conv.in.c || channels != conv.out.c ||
      conv.in.n != conv.out.n) {
    node.refuse("weights of shape " + to_string(node.input("weights").shape) + " do not fit input " +
                to_string(node.input().shape) + " and output " + to_string(node.output.shape));
  }
  if (has_bias && element_count(node.input("bias").shape) != conv.out.c)
    node.refuse("bias has not one value per output channel");
  return conv;
}

void add_bias(const Convolution& conv, const void* const* inputs, float* y) {
  if (!conv.has_bias) return;
  const auto* bias = static_cast<const float*>(inputs[conv.bias]);
  for (std::int64_t c = 0; c < conv.out.c; ++c) y[c] += bias[c];
}

// Where along one axis the kernel's element k meets the input under output o; outside of it, or between its pixels
// of a transposed convolution, a number that is no index.
struct Axis {
  std::int64_t stride, dilation, pad, kernel;

  std::int64_t direct(std::int64_t o, std::int64_t k) const { return o * stride - pad + k * dilation; }
  // Zeros between the input's pixels, pad by kernel - 1 - pad, correlate with the weights as stored (not flipped).
  std::int64_t transposed(std::int64_t o, std::int64_t k) const {
    const auto spread = o + pad - (kernel - 1 - k) * dilation;
    return spread % stride == 0 ? spread / stride : -1;
  }
};

template <bool Depthwise, std::int64_t (Axis::*Position)(std::int64_t, std::int64_t) const>
Kernel make_convolution(const Node& node) {
  const auto conv = convolution_of(node, Depthwise);
  const auto& k = conv.window;
  const Axis rows{k.sh, k.dh, k.top, k.kh}, columns{k.sw, k.dw, k.left, k.kw};
  return [conv, rows, columns](const void* const* inputs, void* output) {
    const auto* x = static_cast<const float*>(inputs[conv.input]);
    const auto* w = static_cast<const float*>(inputs[conv.weights]);
    auto* y = static_cast<float*>(output);
    for (std::int64_t pixel = 0; pixel < conv.out.n * conv.out.h * conv.out.w; ++pixel, y += conv.out.c) {
      const auto ow = pixel % conv.out.w, oh = pixel / conv.out.w % conv.out.h, n = pixel / conv.out.w / conv.out.h;
      std::fill(y, y + conv.out.c, 0.0F);
      for (std::int64_t ky = 0; ky < conv.window.kh; ++ky) {
        const auto iy = (rows.*Position)(oh, ky);
        if (iy < 0 || iy >= conv.in.h) continue;
        for (std::int64_t kx = 0; kx < conv.window.kw; ++kx) {
          const auto ix = (columns.*Position)(ow, kx);
          if (ix >= 0 && ix < conv.in.w) conv.accumulate(x + conv.in.at(n, iy, ix), w, ky, kx, y);
        }
      }
      add_bias(conv, inputs, y);
    }
  };
}

struct Pool {
  Image in, out;
  Window window;
  bool average, count_pads, count_beyond;
  std::size_t input;

  std::int64_t divisor(std::int64_t y0, std::int64_t x0, std::int64_t valid) const {
    if (!count_pads) return std::max<std::int64_t>(valid, 1);
    if (count_beyond) return window.kh * window.kw;
    const auto rows = std::min(y0 + window.kh, in.h + window.bottom) - y0;
    const auto columns = std::min(x0 + window.kw, in.w + window.right) - x0;
    return std::max<std::int64_t>(rows * columns, 1);
  }
};

void pool_pixel(const Pool& pool, const float* x, std::int64_t n, std::int64_t oh, std::int64_t ow, float* y) {
  const auto& k = pool.window;
  const auto y0 = oh * k.sh - k.top, x0 = ow * k.sw - k.left;
  const auto y1 = std::min(y0 + k.kh, pool.in.h), x1 = std::min(x0 + k.kw, pool.in.w);
  std::fill(y, y + pool.out.c, pool.average ? 0.0F : std::numeric_limits<float>::lowest());
  std::int64_t valid = 0;
  for (auto iy = std::max<std::int64_t>(y0, 0); iy < y1; ++iy) {
    for (auto ix = std::max<std::int64_t>(x0, 0); ix < x1; ++ix, ++valid) {
      const auto* from = x + pool.in.at(n, iy, ix);
      for (std::int64_t c = 0; c < pool.out.c; ++c) y[c] = pool.average ? y[c] + from[c] : std::max(y[c], from[c]);
    }
  }
  if (!pool.average) return;
  const auto divisor = static_cast<float>(pool.divisor(y0, x0, valid));
  for (std::int64_t c = 0; c < pool.out.c; ++c) y[c] /= divisor;
}

template <bool Average>
Kernel make_pool(const Node& node) {
  node.require_float();
  Pool pool{Image(node, node.input()),
            Image(node, node.output),
            Window(node),
            Average,
            node.flag_or("count_include_pad", true),
            node.flag_or("count_include_invalid", true),
            node.position("input")};
  if (node.flag_or("global", false)) pool.window.kw = pool.in.w, pool.window.kh = pool.in.h;
  if (pool.in.n != pool.out.n || pool.in.c != pool.out.c) node.refuse("changes the batch or the channels");
  return [pool](const void* const* inputs, void* output) {
    const auto* x = static_cast<const float*>(inputs[pool.input]);
    auto* y = static_cast<float*>(output);
    for (std::int64_t n = 0; n < pool.out.n; ++n) {
      for (std::int64_t oh = 0; oh < pool.out.h; ++oh) {
        for (std::int64_t ow = 0; ow < pool.out.w; ++ow, y += pool.out.c) pool_pixel(pool, x, n, oh, ow, y);
      }
    }
  };
}

}  // namespace

Kernels window_kernels() {
  return {{"conv2d", make_convolution<false, &Axis::direct>},
          {"depthwise-conv2d", make_convolution<true, &Axis::direct>},
          {"transposed-conv2d", make_convolution<false, &Axis::transposed>},
          {"transposed-depthwise-conv2d", make_convolution<true, &Axis::transposed>},
          {"maxpool2d", make_pool<false>},
          {"avgpool2d", make_pool<true>}};
}

}  // namespace nerone::cpu
