"""A second, slow statement of the vendor's calibration; it shares nothing with the package but the graph."""

from __future__ import annotations

from collections import Counter

import numpy as np

from nerone.graph import Op

FUSED = (Op.RELU, Op.LEAKY_RELU)


def quantized(values, fix_point, half_up=True):
    scaled = values.astype(np.float64) * 2.0**fix_point
    integers = np.floor(scaled + 0.5) if half_up else np.rint(scaled)
    return np.clip(integers, -128, 127) / 2.0**fix_point


def search(values, half_up, candidates=5):
    step = max(-values.min() / 128, values.max() / 127, 2.22e-16)
    first = int(np.floor(-np.log2(step)))
    errors = [np.sum((quantized(values, first + k, half_up) - values) ** 2) for k in range(candidates)]
    return first + errors.index(min(errors))


def convolve(values, kernel, bias, strides, pad):
    values = np.pad(values, ((0, 0), pad[:2], pad[2:], (0, 0)))
    rows = (values.shape[1] - kernel.shape[0]) // strides[0] + 1
    columns = (values.shape[2] - kernel.shape[1]) // strides[1] + 1
    total = np.zeros((len(values), rows, columns, kernel.shape[3]))
    for y in range(kernel.shape[0]):
        for x in range(kernel.shape[1]):
            part = values[:, y : y + rows * strides[0] : strides[0], x : x + columns * strides[1] : strides[1]]
            total += part @ kernel[y, x]
    return total + bias


def pool(values, kernel, strides):
    rows = (values.shape[1] - kernel[0]) // strides[0] + 1
    columns = (values.shape[2] - kernel[1]) // strides[1] + 1
    parts = [
        values[:, y : y + rows * strides[0] : strides[0], x : x + columns * strides[1] : strides[1]]
        for y in range(kernel[0])
        for x in range(kernel[1])
    ]
    return np.max(parts, axis=0)


def compute(node, inputs, weights):
    if node.op is Op.CONV2D:
        return convolve(inputs[0], weights["kernel"], weights["bias"], node.attrs["strides"], node.attrs["pad"])
    if node.op is Op.RELU:
        return np.maximum(inputs[0], 0)
    if node.op is Op.MAX_POOL:
        return pool(inputs[0], node.attrs["kernel"], node.attrs["strides"])
    if node.op is Op.ADD:
        return inputs[0] + inputs[1]
    if node.op is Op.CONCAT:
        return np.concatenate(inputs, -1)
    if node.op is Op.UPSAMPLE:
        return inputs[0].repeat(node.attrs["scale"][0], 1).repeat(node.attrs["scale"][1], 2)
    if node.op is Op.SOFTMAX:
        return inputs[0]
    raise AssertionError(node.op)


def calibrate(graph, images, batch_size):
    """Fix points before any adjustment, of activations and weights."""
    weights, weight_fix_points = {}, {}
    for node in graph:
        if node.op is Op.CONV2D:
            found = {key: search(array.astype(np.float64), False) for key, array in node.weights.items()}
            weight_fix_points[node.name] = found
            weights[node.name] = {key: quantized(array, found[key], False) for key, array in node.weights.items()}
    votes: dict[str, list[int]] = {}
    for start in range(0, len(images), batch_size):
        values = {}
        for node in graph:
            if node.op is Op.INPUT:
                value = images[start : start + batch_size].astype(np.float64)
                step = max(-value.min() / 128, value.max() / 127)
                fix_point = int(np.floor(-np.log2(step)))
            else:
                value = compute(node, [values[name] for name in node.inputs], weights.get(node.name))
                readers = graph.consumers(node.name)
                fused = node.op in (Op.CONV2D, Op.ADD) and len(readers) == 1 and readers[0].op in FUSED
                if fused or node.op is Op.SOFTMAX:
                    values[node.name] = value
                    continue
                fix_point = search(value, True)
            votes.setdefault(node.name, []).append(fix_point)
            values[node.name] = quantized(value, fix_point)
    fix_points = {}
    for name, cast in votes.items():
        counts = Counter(cast)
        most = max(counts.values())
        fix_points[name] = next(fix_point for fix_point in cast if counts[fix_point] == most)
    return fix_points, weight_fix_points
