"""A slow, readable statement of what a quantized model computes, straight from the graph's own definitions.

It knows nothing of XIR: convolutions are written as sums over taps, the transposed one as Keras defines it (every input
pixel spreads a scaled copy of the kernel), and every fix point comes from the QuantizedModel.
"""

from __future__ import annotations

import numpy as np

from nerone.graph import Op


def rounded(values):
    """Round half up and saturate to int8."""
    return np.clip(np.floor(np.asarray(values, np.float64) + 0.5), -128, 127).astype(np.int64)


def half_even(values, fix_point):
    return np.clip(np.rint(np.asarray(values, np.float64) * 2.0**fix_point), -128, 127).astype(np.int64)


def activate(op, values, fix_point, alpha_steps=26):
    if op is None:
        return values
    if op is Op.RELU:
        return np.maximum(values, 0)
    if op is Op.RELU6:
        capped = np.maximum(values, 0)
        return np.minimum(capped, 96) if fix_point <= 4 else capped
    return np.where(values < 0, values * alpha_steps / 256, values)


def _padded(x, pad, fill=0):
    return np.pad(x, ((0, 0), tuple(pad[:2]), tuple(pad[2:]), (0, 0)), constant_values=fill)


def _windows(x, kernel, strides, dilation=(1, 1)):
    """Yield (row, column, pixels that this tap sees) of every tap."""
    rows = (x.shape[1] - (kernel[0] - 1) * dilation[0] - 1) // strides[0] + 1
    columns = (x.shape[2] - (kernel[1] - 1) * dilation[1] - 1) // strides[1] + 1
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            top, left = i * dilation[0], j * dilation[1]
            bottom, right = top + (rows - 1) * strides[0] + 1, left + (columns - 1) * strides[1] + 1
            yield i, j, x[:, top : bottom : strides[0], left : right : strides[1]]


def convolved(node, x, kernel):
    """Sum of products of a convolution in integers."""
    if node.op is Op.DENSE:
        return x @ kernel
    strides = node.attrs["strides"]
    if node.op is Op.TRANSPOSED_CONV2D:
        (height, width), (kh, kw, co, _) = x.shape[1:3], kernel.shape
        full = np.zeros((x.shape[0], (height - 1) * strides[0] + kh, (width - 1) * strides[1] + kw, co), np.int64)
        for i in range(height):
            for j in range(width):
                spread = np.einsum("nc,abkc->nabk", x[:, i, j], kernel)
                full[:, i * strides[0] : i * strides[0] + kh, j * strides[1] : j * strides[1] + kw] += spread
        top, bottom, left, right = node.attrs["pad"]
        full = np.pad(full, ((0, 0), (0, max(0, -bottom)), (0, max(0, -right)), (0, 0)))
        return full[:, top : full.shape[1] - max(0, bottom), left : full.shape[2] - max(0, right)]
    x = _padded(x, node.attrs["pad"])
    total = 0
    for i, j, pixels in _windows(x, kernel.shape[:2], strides, node.attrs.get("dilation", (1, 1))):
        if node.op is Op.CONV2D:
            total = total + pixels @ kernel[i, j]
        else:
            product = pixels[..., :, None] * kernel[i, j]
            total = total + product.reshape(*pixels.shape[:3], -1)
    return total


def _average_factor(kernel):
    table = {(3, 3): (7, 6), (5, 5): (10, 8), (6, 6): (7, 8), (7, 7): (21, 10), (14, 14): (21, 12)}
    if tuple(kernel) in table:
        number, shift = table[tuple(kernel)]
        return number / 2.0**shift
    size, best, error = kernel[0] * kernel[1], 0.0, np.inf
    for shift in range(int(np.ceil(np.log2(128 * size)))):
        number = round(2**shift / size)
        if abs(number / 2**shift - 1 / size) < error:
            best, error = number / 2**shift, abs(number / 2**shift - 1 / size)
    return best


class Interpreter:
    """Runs a QuantizedModel; `values` holds (integers or floats, fix point or None) of every node.

    `on_cpu` names the nodes that the compiler left on the CPU: a ReLU6 stops at 6 there, whatever its fix point, where
    the DPU's stops at 96 steps.
    """

    def __init__(self, quantized, on_cpu=frozenset()):
        self.quantized = quantized
        self.on_cpu = on_cpu
        self.graph = quantized.graph
        self.values = {}

    def run(self, inputs):
        """Run on {input name: int8 (N, ...)} and return the outputs as real values, in the graph's order."""
        sums = {}
        for node in self.graph:
            fix_point = self.quantized.fix_points.get(node.name)
            if node.op is Op.INPUT:
                self.values[node.name] = (np.asarray(inputs[node.name], np.int64), fix_point)
            elif node.inputs[0] in sums and node.op in (Op.RELU, Op.RELU6, Op.LEAKY_RELU):
                exact, exponent = sums[node.inputs[0]]
                scaled = exact * 2.0 ** (fix_point - exponent)
                self.values[node.name] = (rounded(self._activated(node, scaled, fix_point)), fix_point)
            else:
                self._step(node, fix_point, sums)
        return [self._real(name) for name in self.graph.outputs]

    def _activated(self, node, scaled, fix_point):
        if node.op is Op.RELU6 and node.name in self.on_cpu:
            return np.clip(scaled, 0, 6 * 2.0**fix_point)
        return activate(node.op, scaled, fix_point)

    def _real(self, name):
        value, fix_point = self.values[name]
        return value if fix_point is None else value / 2.0**fix_point

    def _step(self, node, fix_point, sums):
        handler = getattr(self, "_" + node.op.value)
        result = handler(node, *[self.values[name] for name in node.inputs])
        value, exponent = result
        if exponent is None:  # float
            if fix_point is not None:
                value, exponent = rounded(value * 2.0**fix_point), fix_point
            self.values[node.name] = (value, exponent)
        elif fix_point is None and node.op not in (Op.CROP, Op.PAD, Op.RESHAPE, Op.PERMUTE, Op.DROPOUT):
            sums[node.name] = (value, exponent)
        elif fix_point is None:
            self.values[node.name] = (value, exponent)
        else:
            self.values[node.name] = (rounded(value * 2.0 ** (fix_point - exponent)), fix_point)

    def _weighted(self, node, value):
        x, fix_point = value
        weights = self.quantized.weight_fix_points[node.name]
        total = convolved(node, x, half_even(node.weights["kernel"], weights["kernel"]))
        exponent = fix_point + weights["kernel"]
        if "bias" not in node.weights:
            return total, exponent
        bias = half_even(node.weights["bias"], weights["bias"])
        doubled = 2 * total + np.floor(2 * bias * 2.0 ** (exponent - weights["bias"])).astype(np.int64)
        return doubled, exponent + 1

    _conv2d = _depthwise_conv2d = _transposed_conv2d = _dense = _weighted

    def _relu(self, node, value):
        return np.maximum(value[0], 0), value[1]

    def _relu6(self, node, value):
        fix_point = self.quantized.fix_points[node.name]
        return self._activated(node, value[0] * 2.0 ** (fix_point - value[1]), fix_point), fix_point

    def _leaky_relu(self, node, value):
        return activate(Op.LEAKY_RELU, value[0] * 1.0, 0), value[1]

    def _hard_sigmoid(self, node, value):
        x, fix_point = value
        return np.minimum(2.0**32, np.maximum(0, 2731 * x + 3 * 2731 * 2**fix_point)), 14 + fix_point

    _sigmoid = _hard_sigmoid

    def _swish(self, node, value):
        gate, exponent = self._hard_sigmoid(node, value)
        gate = rounded(gate * 2.0 ** (7 - exponent))
        return value[0] * gate, value[1] + 7

    _hard_swish = _swish

    def _softmax(self, node, value):
        real = self._real(node.inputs[0])
        powers = np.exp(real - real.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True), None

    def _tanh(self, node, value):
        return np.tanh(self._real(node.inputs[0])), None

    def _max_pool(self, node, value):
        x = _padded(value[0], node.attrs["pad"], -(2**40))
        taps = [pixels for _, _, pixels in _windows(x, node.attrs["kernel"], node.attrs["strides"])]
        return np.max(taps, 0), value[1]

    def _avg_pool(self, node, value):
        x = _padded(value[0], node.attrs["pad"])
        taps = [pixels for _, _, pixels in _windows(x, node.attrs["kernel"], node.attrs["strides"])]
        return np.sum(taps, 0) * _average_factor(node.attrs["kernel"]), value[1]

    def _add(self, node, *values):
        low = min(fix_point for _, fix_point in values)
        total = sum(np.floor(4 * x / 2.0 ** (fix_point - low)) for x, fix_point in values)
        return total / 4, low

    def _multiply(self, node, *values):
        product, exponent = 1, 0
        for x, fix_point in values:
            product, exponent = product * x, exponent + fix_point
        return product, exponent

    def _concat(self, node, *values):
        fix_point = self.quantized.fix_points[node.name]
        parts = [rounded(x * 2.0 ** (fix_point - own)) for x, own in values]
        return np.concatenate(parts, node.attrs["axis"]), fix_point

    def _upsample(self, node, value):
        assert node.attrs["method"] == "nearest"
        x = np.repeat(value[0], node.attrs["scale"][0], 1)
        return np.repeat(x, node.attrs["scale"][1], 2), value[1]

    def _pad(self, node, value):
        mode = node.attrs.get("mode", "constant")
        pad = node.attrs["pad"]
        return np.pad(value[0], ((0, 0), tuple(pad[:2]), tuple(pad[2:]), (0, 0)), mode=mode), value[1]

    def _crop(self, node, value):
        top, bottom, left, right = node.attrs["crop"]
        height, width = value[0].shape[1:3]
        return value[0][:, top : height - bottom, left : width - right], value[1]

    def _reshape(self, node, value):
        return value[0].reshape(value[0].shape[0], *node.shape), value[1]

    def _permute(self, node, value):
        return value[0].transpose(node.attrs["axes"]), value[1]

    def _dropout(self, node, value):
        return value
