"""The arithmetic of the DPU in plain numpy: slow, readable, and written without looking at the engine.

Real values are float64. Every one that occurs is an integer of less than 2^50 times a power of two, so nothing rounds
before `dpu_round` does. Tensors are NHWC; `fi`, `fw`, `fb`, `fo` are the fix points of input, weights, bias and output.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip

Array = NDArray[Any]
Attrs = Mapping[str, Any]


def dpu_round(x: Array) -> Array:
    """Round half up and saturate to int8."""
    return np.clip(np.floor(x + 0.5), -128, 127).astype(np.int8)


def activate(v: Array, nonlinear: str, fo: int) -> Array:
    """Apply RELU, RELU6 or LEAKYRELU to the exact value."""
    if nonlinear == "LEAKYRELU":
        return np.where(v < 0, v * 26 / 256, v)
    if nonlinear in ("RELU", "RELU6"):
        v = np.maximum(v, 0)
    if nonlinear == "RELU6" and fo <= 4:
        v = np.minimum(v, 96)
    return v


def hard_sigmoid(t: Array, attrs: Attrs) -> Array:
    x = 2731 * t.astype(np.float64) + 3 * 2731 * 2.0 ** attrs["hsigmoid_in"]
    return dpu_round(np.minimum(2.0**32, np.maximum(0, x)) / 2.0 ** attrs["shift_hsigmoid"])


def finish_convolution(total: Array, bias: Array | None, fixes: Mapping[str, int], attrs: Attrs) -> Array:
    """Bias, shift, activation and rounding, the same for all convolutions."""
    nonlinear = attrs.get("nonlinear", "")
    product = fixes["input"] + fixes["weights"]
    shift_bias, shift_cut = product - fixes.get("bias", 0), product - fixes["output"]
    if nonlinear in ("HSIGMOID", "HSWISH"):
        shift_bias, shift_cut = attrs["shift_bias"], attrs["shift_cut"]
    doubled = 2 * total
    if bias is not None:
        doubled = doubled + np.floor(2 * bias.astype(np.float64) * 2.0**shift_bias)
    v = doubled / 2.0 ** (shift_cut + 1)
    if nonlinear == "HSIGMOID":
        return hard_sigmoid(dpu_round(v), attrs)
    if nonlinear == "HSWISH":
        t = dpu_round(v)
        return dpu_round(t.astype(np.float64) * hard_sigmoid(t, attrs) / 2.0 ** attrs["shift_hswish"])
    return dpu_round(activate(v, nonlinear, fixes["output"]))


def correlate(x: Array, w: Array, stride: Sequence[int], dilation: Sequence[int], depthwise: bool) -> Array:
    """Slide the weights over an already padded image."""
    kh, kw = w.shape[1:3]
    (sw, sh), (dw, dh) = stride, dilation
    oh = (x.shape[1] - (kh - 1) * dh - 1) // sh + 1
    ow = (x.shape[2] - (kw - 1) * dw - 1) // sw + 1
    filters, channels = w.shape[0], x.shape[3]
    total = np.zeros((x.shape[0], oh, ow, channels, filters) if depthwise else (x.shape[0], oh, ow, filters))
    for ky in range(kh):
        for kx in range(kw):
            seen = x[:, ky * dh : ky * dh + (oh - 1) * sh + 1 : sh, kx * dw : kx * dw + (ow - 1) * sw + 1 : sw, :]
            if depthwise:  # output channel c * M + m
                total += seen[..., None] * w[:, ky, kx, :].T
            else:
                total += seen @ w[:, ky, kx, :].T
    return total.reshape(*total.shape[:3], -1)


def convolution(kind: str, x: Array, w: Array, bias: Array | None, fixes: Mapping[str, int], attrs: Attrs) -> Array:
    left, right, top, bottom = attrs.get("pad", [0, 0, 0, 0])
    stride = attrs.get("stride", [1, 1])
    x, w = x.astype(np.float64), w.astype(np.float64)
    if kind.startswith("transposed-"):
        sw, sh = stride
        n, h, width, c = x.shape
        spread = np.zeros((n, (h - 1) * sh + 1, (width - 1) * sw + 1, c))
        spread[:, ::sh, ::sw, :] = x
        x, stride = spread, [1, 1]
        kh, kw = w.shape[1:3]
        left, right, top, bottom = kw - 1 - left, kw - 1 - right, kh - 1 - top, kh - 1 - bottom
        # A pad of more than the kernel cuts pixels off.
        x = x[:, max(0, -top) : x.shape[1] - max(0, -bottom), max(0, -left) : x.shape[2] - max(0, -right), :]
        left, right, top, bottom = (max(0, pad) for pad in (left, right, top, bottom))
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    total = correlate(x, w, stride, attrs.get("dilation", [1, 1]), "depthwise" in kind)
    return finish_convolution(total, bias, fixes, attrs)


def average_factor(kh: int, kw: int) -> float:
    """The DPU's approximation of 1 / (kh * kw)."""
    known = {3: (7, 6), 5: (10, 8), 6: (7, 8), 7: (21, 10), 14: (21, 12)}
    if kh == kw and kh in known:
        n, m = known[kh]
        return n / 2**m
    area = kh * kw
    best, distance = 0.0, math.inf
    for m in range(math.ceil(math.log2(128 * area))):
        factor = math.floor(2**m / area + 0.5) / 2**m
        if abs(factor - 1 / area) < distance:
            best, distance = factor, abs(factor - 1 / area)
    return best


def pool(x: Array, fi: int, fo: int, attrs: Attrs) -> Array:
    x = x.astype(np.float64)
    kw, kh = (x.shape[2], x.shape[1]) if attrs.get("global") else attrs["kernel"]
    sw, sh = attrs.get("stride", [1, 1])
    left, right, top, bottom = attrs.get("pad", [0, 0, 0, 0])
    is_max = attrs["type"] == "MAX"
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=-np.inf if is_max else 0)
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(1, 2))[:, ::sh, ::sw]
    reduced = windows.max(axis=(4, 5)) if is_max else windows.sum(axis=(4, 5)) * average_factor(kh, kw)
    return dpu_round(reduced * 2.0 ** (fo - fi))


def eltwise(xs: Sequence[Array], fis: Sequence[int], fo: int, attrs: Attrs) -> Array:
    if attrs["type"] == "ADD":
        lowest = min(fis)
        total = sum(np.floor(4 * x.astype(np.float64) / 2.0 ** (fi - lowest)) for x, fi in zip(xs, fis, strict=True))
        v = total * 2.0 ** (fo - lowest) / 4
    else:
        v = np.float64(1)
        for x in xs:
            v = v * x.astype(np.float64)
        v = v * 2.0 ** (fo - sum(fis))
    return dpu_round(activate(v, attrs.get("nonlinear", ""), fo))


def requantize(x: Array, fi: int, fo: int) -> Array:
    return dpu_round(x.astype(np.float64) * 2.0 ** (fo - fi))


def upsample(x: Array, fi: int, fo: int, shape: Sequence[int], attrs: Attrs) -> Array:
    """Nearest or bilinear, positions in float32 as the vendor's reference has them."""
    align, half = attrs.get("align_corners", False), attrs.get("half_pixel_centers", False)

    def positions(inside: int, out: int, offset: np.float32) -> Array:
        i = np.arange(out, dtype=np.float32)
        if align and out > 1:
            step = np.float32(inside - 1) / np.float32(out - 1)
        else:
            step = np.float32(inside) / np.float32(out)
        return (i + np.float32(0.5)) * step - offset if half else i * step

    if attrs["mode"] == "NEAREST":

        def nearest(inside: int, out: int) -> Array:
            p = positions(inside, out, np.float32(0))
            return np.minimum(inside - 1, np.floor(p + np.float32(0.5)) if align else np.floor(p)).astype(int)

        picked = x[:, nearest(x.shape[1], shape[1])][:, :, nearest(x.shape[2], shape[2])]
        return requantize(picked, fi, fo)

    values = x.astype(np.float32)
    for axis in (2, 1):
        p = positions(x.shape[axis], shape[axis], np.float32(0.5))
        low = np.maximum(np.floor(p), 0).astype(int)
        high = np.minimum(np.ceil(p), x.shape[axis] - 1).astype(int)
        fraction = (p - np.floor(p)).reshape([-1 if i == axis else 1 for i in range(4)])
        a, b = np.take(values, low, axis), np.take(values, high, axis)
        values = a + (b - a) * fraction
    return dpu_round(values * np.float32(2.0 ** (fo - fi)))


def pad(x: Array, attrs: Attrs) -> Array:
    widths = np.asarray(attrs["paddings"]).reshape(-1, 2)
    if attrs["mode"] == "CONSTANT":
        return np.pad(x, widths, constant_values=attrs.get("constant_values", [0])[0])
    return np.pad(x, widths, mode=attrs["mode"].lower())


def tile(x: Array, step: int, reverse: bool) -> Array:
    """Depth to space where ``reverse``, channel (ky * step + kx) * C + c of the coarse pixel; else the inverse."""
    n, h, w, c = x.shape
    if reverse:
        blocks = x.reshape(n, h, w, step, step, c // step**2)
        return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(n, h * step, w * step, -1)
    blocks = x.reshape(n, h // step, step, w // step, step, c)
    return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(n, h // step, w // step, -1)


def quantize(x: Array, attrs: Attrs) -> Array:
    scaled = x.astype(np.float64) * 2.0 ** attrs["fix_point"]
    rounding = {
        "STD_ROUND": lambda v: np.copysign(np.floor(np.abs(v) + 0.5), v),
        "DPU_ROUND": lambda v: np.floor(v + 0.5),
        "PY3_ROUND": np.rint,
    }[attrs["round_mode"]]
    return np.clip(rounding(scaled), -128, 127).astype(np.int8)


def softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def run_op(node: Mapping[str, Any], values: Mapping[str, Array], fixes: Mapping[str, int]) -> Array:
    """One op of a case; `node["shape"]` is its output's shape where the attributes do not say it."""
    kind, attrs, roles = node["type"], node["attrs"], node["inputs"]
    names = roles["input"]
    xs = [values[name] for name in names]
    fis = [fixes.get(name, 0) for name in names]
    fo = fixes.get(node["name"], 0)
    if kind in {"conv2d-fix", "depthwise-conv2d-fix", "transposed-conv2d-fix", "transposed-depthwise-conv2d-fix"}:
        given = {role: fixes[sources[0]] for role, sources in roles.items()} | {"output": fo}
        bias = values[roles["bias"][0]] if "bias" in roles else None
        return convolution(kind, xs[0], values[roles["weights"][0]], bias, given, attrs)
    if kind == "pool-fix":
        return pool(xs[0], fis[0], fo, attrs)
    if kind == "eltwise-fix":
        return eltwise(xs, fis, fo, attrs)
    if kind == "concat-fix":
        return np.concatenate([requantize(x, fi, fo) for x, fi in zip(xs, fis, strict=True)], attrs["axis"])
    if kind == "upsample-fix":
        w, h = attrs["scale"]
        shape = node.get("shape", [xs[0].shape[0], int(xs[0].shape[1] * h), int(xs[0].shape[2] * w)])
        return upsample(xs[0], fis[0], fo, shape, attrs)
    if kind == "downsample-fix":
        w, h = (int(scale) for scale in attrs["scale"])
        return requantize(xs[0][:, ::h, ::w], fis[0], fo)
    if kind == "pad-fix":
        return pad(xs[0], attrs)
    if kind == "tile-fix":
        return tile(xs[0], attrs["stride"], attrs["reverse"])
    if kind == "reduction_max":
        return requantize(xs[0].max(tuple(attrs["axis"]), keepdims=attrs["keep_dims"]), fis[0], fo)
    if kind == "reshape-fix":
        return xs[0].reshape(attrs["shape"])
    if kind in {"upload", "download"}:
        return xs[0]
    if kind == "hard-sigmoid-fix":
        return hard_sigmoid(xs[0], attrs)
    if kind == "float2fix":
        return quantize(xs[0], attrs)
    if kind == "fix":
        return (quantize(xs[0], attrs) * 2.0 ** -attrs["fix_point"]).astype(np.float32)
    if kind == "fix2float":
        return (xs[0] * 2.0 ** -attrs["fix_point"]).astype(np.float32)
    if kind == "softmax":
        return softmax(xs[0].astype(np.float64), attrs["axis"]).astype(np.float32)
    raise NotImplementedError(kind)


def run_case(case: Mapping[str, Any], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Every node's value of a case as ../../data/ops.json holds them."""
    values: dict[str, Array] = {}
    fixes = {node["name"]: node["fix_point"] for node in case["nodes"] if node.get("fix_point") is not None}
    for node in case["nodes"]:
        values[node["name"]] = arrays[node["data"]] if node["kind"] != "op" else run_op(node, values, fixes)
    return values
