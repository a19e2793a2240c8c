"""ONNX operators as nodes: those that compute, and the table of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Union

import numpy as np

from nerone.graph.graph import Op
from nerone.graph.layers_weighted import ungrouped
from nerone.graph.onnx_functions import FUNCTION_OPERATORS, over_channels, subtract
from nerone.graph.onnx_shapes import SHAPE_OPERATORS
from nerone.graph.onnx_values import FIRST, Call, Value, channel_vector
from nerone.graph.padding import same_padding

__all__ = ["OPERATORS"]

Handler = Callable[[Call], Union[Value, list[Value]]]


def _like(call: Call, node: str, index: int = 0) -> Value:
    return Value(node, call.value(index).order)


def _pads(call: Call, source: str, kernel: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    mode = call.attrs.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        height, width, _ = call.builder.shape(source)
        rows = same_padding(height, kernel[0], strides[0], dilation[0])
        columns = same_padding(width, kernel[1], strides[1], dilation[1])
        return (*rows, *columns) if mode == "SAME_UPPER" else (*rows[::-1], *columns[::-1])
    top, left, bottom, right = call.attrs.get("pads", (0, 0, 0, 0)) if mode == "NOTSET" else (0, 0, 0, 0)
    if min(top, left, bottom, right) < 0:
        raise call.refuse("negative pads; use a Slice")
    return (top, bottom, left, right)


def _conv(call: Call) -> Value:
    source, kernel = call.image(), call.weight(1)
    if kernel.ndim != 4:
        raise call.refuse(f"its kernel has {kernel.ndim} axes; only images (2-D convolutions) are supported")
    strides, dilation = call.pair("strides"), call.pair("dilations")
    pad = _pads(call, source, kernel.shape[2:], strides, dilation)
    last, groups = kernel.transpose(2, 3, 1, 0), int(call.attrs.get("group", 1))
    if groups < 1 or last.shape[3] % groups:
        raise call.refuse(f"group={groups} does not divide its {last.shape[3]} filters")
    op, last = (Op.CONV2D, last) if groups == 1 else ungrouped(last, groups)
    attrs = {"strides": strides, "pad": pad, "dilation": dilation}
    return Value(call.add(op, [source], attrs, {"kernel": last, "bias": call.constant(2)}), FIRST)


def _conv_transpose(call: Call) -> Value:
    source, kernel = call.image(), call.weight(1)
    if int(call.attrs.get("group", 1)) != 1 or call.pair("dilations") != (1, 1):
        raise call.refuse("a grouped or dilated transposed convolution; use group=1 and dilation 1")
    if call.attrs.get("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in call.attrs:
        raise call.refuse("auto_pad or output_shape; export it with explicit pads")
    top, left, bottom, right = call.attrs.get("pads", (0, 0, 0, 0))
    extra = call.attrs.get("output_padding", (0, 0))
    bottom, right = bottom - extra[0], right - extra[1]
    # Zeros at the end of the kernel stand for output beyond the full one.
    grown = np.pad(kernel.transpose(2, 3, 1, 0), ((0, max(-bottom, 0)), (0, max(-right, 0)), (0, 0), (0, 0)))
    attrs = {"strides": call.pair("strides"), "pad": (top, max(bottom, 0), left, max(right, 0))}
    weights = {"kernel": grown, "bias": call.constant(2)}
    return Value(call.add(Op.TRANSPOSED_CONV2D, [source], attrs, weights), FIRST)


def _batch_norm(call: Call) -> Value:
    weights = {key: call.weight(index + 1) for index, key in enumerate(("gamma", "beta", "mean", "variance"))}
    node = call.add(Op.BATCH_NORM, [call.value().node], {"epsilon": float(call.attrs.get("epsilon", 1e-5))}, weights)
    return _like(call, node)


def _gemm(call: Call) -> Value:
    kernel = call.weight(1)
    if call.attrs.get("transA", 0) or call.attrs.get("alpha", 1.0) != 1.0 or call.attrs.get("beta", 1.0) != 1.0:
        raise call.refuse("transA, alpha or beta other than 1; fold them into the weights")
    return _dense(call, kernel.T if call.attrs.get("transB", 0) else kernel, call.constant(2))


def _matmul(call: Call) -> Value:
    kernel = call.weight(1)
    if kernel.ndim != 2:
        raise call.refuse(f"its second factor has {kernel.ndim} axes, expected 2")
    return _dense(call, kernel, None)


def _dense(call: Call, kernel: Any, bias: Any) -> Value:
    given = call.inputs[0]
    if isinstance(given, Value) and given.image is not None:
        height, width, channels = given.image
        # Rows of the kernel from the order C, H, W of ONNX to H, W, C.
        kernel = kernel.reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(len(kernel), -1)
        source = given.node
    else:
        source = call.natural()
    bias = None if bias is None else np.broadcast_to(bias.reshape(-1), (kernel.shape[1],))
    node = call.add(Op.DENSE, [source], {}, {"kernel": kernel, "bias": bias})
    return Value(node, tuple(range(len(call.builder.shape(node)) + 1)))


def _plain(op: Op) -> Handler:
    return lambda call: _like(call, call.add(op, [call.value().node]))


def _leaky_relu(call: Call) -> Value:
    return _like(call, call.add(Op.LEAKY_RELU, [call.value().node], {"alpha": float(call.attrs.get("alpha", 0.01))}))


def _softmax(call: Call) -> Value:
    value = call.value()
    rank = len(value.order)
    # Before opset 13 all axes from this one on are one, and the second is the default.
    axis = int(call.attrs.get("axis", -1 if call.opset >= 13 else 1))
    shape = (1, *call.builder.shape(value.node))
    behind = [shape[value.order[place]] for place in range(axis % rank + 1, rank)] if call.opset < 13 else []
    if value.order[axis % rank] != rank - 1 or any(size != 1 for size in behind):
        raise call.refuse(f"softmax over axis {axis}; use the channels")
    return _like(call, call.add(Op.SOFTMAX, [value.node]))


def _pool(op: Op) -> Handler:
    def handler(call: Call) -> Value:
        source = call.image()
        kernel, strides = call.pair("kernel_shape"), call.pair("strides")
        if call.pair("dilations") != (1, 1):
            raise call.refuse("dilation; export the pool without it")
        pad = _pads(call, source, kernel, strides, (1, 1))
        if call.attrs.get("ceil_mode", 0):
            pad = _ceiling(call, op, source, pad, kernel, strides)
        attrs: dict[str, Any] = {"kernel": kernel, "strides": strides, "pad": pad}
        if op is Op.AVG_POOL:
            attrs["count_include_pad"] = bool(call.attrs.get("count_include_pad", 0)) or not any(attrs["pad"])
        return Value(call.add(op, [source], attrs), FIRST)

    return handler


def _ceiling(
    call: Call, op: Op, source: str, pad: tuple[int, ...], kernel: tuple[int, int], strides: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Padding with which a pool that rounds sizes down gives what one gives that rounds them up."""
    sizes, found = call.builder.shape(source)[:2], []
    for axis in (0, 1):
        before, after = pad[2 * axis], pad[2 * axis + 1]
        rest = (sizes[axis] + before + after - kernel[axis]) % strides[axis]
        more = strides[axis] - rest if rest else 0
        # A window that would begin behind the image and its first padding is left out.
        last = sizes[axis] + before + after - kernel[axis] + more
        if more and last >= sizes[axis] + before:
            more = 0
        if more and op is not Op.MAX_POOL:
            raise call.refuse("an average with ceil_mode whose last window is cut; export it without ceil_mode")
        found += [before, after + more]
    return found[0], found[1], found[2], found[3]


def _global_pool(op: Op) -> Callable[[Call], Value]:
    def handler(call: Call) -> Value:
        source = call.image()
        height, width, _ = call.builder.shape(source)
        attrs: dict[str, Any] = {"kernel": (height, width), "strides": (1, 1), "pad": (0, 0, 0, 0), "global": True}
        if op is Op.AVG_POOL:
            attrs["count_include_pad"] = True
        return Value(call.add(op, [source], attrs), FIRST)

    return handler


def _reduce(op: Op) -> Handler:
    def handler(call: Call) -> Value:
        axes = call.attrs.get("axes")
        axes = call.weight(1).reshape(-1).tolist() if axes is None else axes
        if [int(axis) % 4 for axis in axes] == [1] and call.attrs.get("keepdims", 1):
            return over_channels(call)
        if sorted(int(axis) % 4 for axis in axes) != [2, 3]:
            raise call.refuse(f"a reduction over axes {list(axes)}; use height and width, or keep the channels' axis")
        pooled = _global_pool(op)(call)
        if call.attrs.get("keepdims", 1):
            return pooled
        channels = call.builder.shape(pooled.node)[-1]
        return Value(call.add(Op.RESHAPE, [pooled.node], {"shape": (channels,)}, suffix="flat"), (0, 1))

    return handler


def _join(op: Op) -> Handler:
    def handler(call: Call) -> Value:
        constants = [index for index, item in enumerate(call.inputs) if not isinstance(item, Value)]
        if constants:
            return _affine(call, 1 - constants[0], call.weight(constants[0]))
        values = [call.value(index) for index in range(len(call.inputs))]
        if len({value.order for value in values}) == 1:
            return Value(call.add(op, [value.node for value in values]), values[0].order)
        nodes = [call.natural(index) for index in range(len(values))]
        node = call.add(op, nodes)
        return Value(node, tuple(range(len(call.builder.shape(node)) + 1)))

    return handler


def _affine(call: Call, index: int, constant: Any) -> Value:
    """A tensor with a constant, as a batch norm that folds into its neighbours."""
    value = call.value(index)
    numbers = channel_vector(call, np.asarray(constant, np.float32), value)
    if numbers is None or (call.kind == "Div" and index != 0):
        raise call.refuse("a constant that is not one number per channel")
    one, zero = np.ones_like(numbers), np.zeros_like(numbers)
    gamma, beta = {
        "Add": (one, numbers),
        "Mul": (numbers, zero),
        "Sub": (one, -numbers) if index == 0 else (-one, numbers),
        "Div": (1.0 / numbers, zero),
    }[call.kind]
    weights = {"gamma": gamma, "beta": beta, "mean": zero, "variance": one}
    return Value(call.add(Op.BATCH_NORM, [value.node], {"epsilon": 0.0}, weights), value.order)


def _only_constants(call: Call) -> Value:
    constants = [index for index, item in enumerate(call.inputs) if not isinstance(item, Value)]
    if not constants and call.kind == "Sub":
        return subtract(call)
    if len(constants) != 1:
        raise call.refuse("the DPU has no quotient of two tensors; use Mul")
    return _affine(call, 1 - constants[0], call.weight(constants[0]))


OPERATORS: dict[str, Handler] = {
    **SHAPE_OPERATORS,
    **FUNCTION_OPERATORS,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "BatchNormalization": _batch_norm,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Relu": _plain(Op.RELU),
    "Sigmoid": _plain(Op.SIGMOID),
    "Tanh": _plain(Op.TANH),
    "HardSwish": _plain(Op.HARD_SWISH),
    "LeakyRelu": _leaky_relu,
    "Softmax": _softmax,
    "MaxPool": _pool(Op.MAX_POOL),
    "AveragePool": _pool(Op.AVG_POOL),
    "GlobalMaxPool": _global_pool(Op.MAX_POOL),
    "GlobalAveragePool": _global_pool(Op.AVG_POOL),
    "ReduceMean": _reduce(Op.AVG_POOL),
    "ReduceMax": _reduce(Op.MAX_POOL),
    "Add": _join(Op.ADD),
    "Mul": _join(Op.MULTIPLY),
    "Sub": _only_constants,
    "Div": _only_constants,
}
