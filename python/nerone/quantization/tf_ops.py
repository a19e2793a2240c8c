"""Every kind of node as TensorFlow ops. TensorFlow is imported by the caller's call, never at import."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ConfigurationError, ModelError
from nerone.graph import Node, Op
from nerone.graph.padding import same_padding

__all__ = ["apply_node", "fake_quantize_tf", "import_tensorflow"]

Tensor = Any
Weights = Mapping[str, Tensor]


def import_tensorflow() -> Any:
    """Return the module ``tensorflow``.

    Raises
    ------
    ConfigurationError
        TensorFlow is not installed.
    """
    try:
        import tensorflow
    except ImportError as error:
        raise ConfigurationError("quantization needs TensorFlow; install nerone[quantize]") from error
    return tensorflow


def apply_node(node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    """Return the output of ``node``, (N, ...) float32.

    Parameters
    ----------
    node : Node, attributes as listed at :class:`nerone.graph.Op`
    inputs : (N, ...) float32 tensors
    weights : tensors that stand for the node's own weights

    Raises
    ------
    ModelError
        The node is a layer that could not be imported.
    """
    import tensorflow as tf

    rule = _RULES.get(node.op)
    if rule is None:
        raise ModelError(
            f"layer '{node.layer or node.name}' ({node.attrs.get('layer_class', node.op.value)}) cannot run: "
            f"{node.attrs.get('reason', 'it has no implementation')}"
        )
    return rule(tf, node, inputs, weights)


def fake_quantize_tf(value: Tensor, fix_point: Tensor, *, half_up: bool = True) -> Tensor:
    """Return ``value`` rounded to what int8 with ``fix_point`` (a scalar tensor) can hold."""
    import tensorflow as tf

    scale = tf.pow(2.0, tf.cast(fix_point, tf.float32))
    scaled = value * scale
    rounded = tf.floor(scaled + 0.5) if half_up else tf.round(scaled)
    return tf.clip_by_value(rounded, -128.0, 127.0) / scale


def _padded(tf: Any, node: Node, value: Tensor, kernel: Sequence[int]) -> tuple[Tensor, str]:
    """The input with explicit zeros where TensorFlow's own padding rules do not give the node's."""
    top, bottom, left, right = node.attrs["pad"]
    if not any(node.attrs["pad"]):
        return value, "VALID"
    strides, dilation = node.attrs["strides"], node.attrs.get("dilation", (1, 1))
    rows = same_padding(value.shape[1], kernel[0], strides[0], dilation[0])
    columns = same_padding(value.shape[2], kernel[1], strides[1], dilation[1])
    if (*rows, *columns) == (top, bottom, left, right):
        return value, "SAME"
    return tf.pad(value, [[0, 0], [top, bottom], [left, right], [0, 0]]), "VALID"


def _biased(tf: Any, value: Tensor, weights: Weights) -> Tensor:
    return tf.nn.bias_add(value, weights["bias"]) if "bias" in weights else value


def _conv2d(tf: Any, node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    kernel = weights["kernel"]
    value, padding = _padded(tf, node, inputs[0], kernel.shape)
    result = tf.nn.conv2d(value, kernel, node.attrs["strides"], padding, dilations=node.attrs["dilation"])
    return _biased(tf, result, weights)


def _depthwise(tf: Any, node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    kernel = weights["kernel"]
    value, padding = _padded(tf, node, inputs[0], kernel.shape)
    height, width = node.attrs["strides"]
    dilation = node.attrs["dilation"]
    if height == width:
        result = tf.nn.depthwise_conv2d(value, kernel, (1, height, width, 1), padding, dilations=dilation)
        return _biased(tf, result, weights)
    # TensorFlow has no depthwise convolution with unequal strides: compute every pixel, keep the wanted ones.
    if padding == "SAME":
        top, bottom, left, right = node.attrs["pad"]
        value = tf.pad(value, [[0, 0], [top, bottom], [left, right], [0, 0]])
    dense = tf.nn.depthwise_conv2d(value, kernel, (1, 1, 1, 1), "VALID", dilations=dilation)
    return _biased(tf, dense[:, ::height, ::width], weights)


def _transposed(tf: Any, node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    kernel = weights["kernel"]
    top, _, left, _ = node.attrs["pad"]
    height, width, channels = node.shape
    # Kernels smaller than the stride leave gaps at the end, which VALID of TensorFlow counts as well.
    full = [
        max((size - 1) * stride + length, size * stride)
        for size, stride, length in zip(inputs[0].shape[1:3], node.attrs["strides"], kernel.shape[:2], strict=True)
    ]
    shape = (tf.shape(inputs[0])[0], full[0], full[1], channels)
    result = tf.nn.conv2d_transpose(inputs[0], kernel, shape, node.attrs["strides"], "VALID")
    return _biased(tf, result[:, top : top + height, left : left + width], weights)


def _dense(tf: Any, node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    result = tf.tensordot(inputs[0], weights["kernel"], 1)
    return _biased(tf, tf.reshape(result, (-1, *node.shape)), weights)


def _batch_norm(tf: Any, node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    factor = tf.math.rsqrt(weights["variance"] + node.attrs["epsilon"])
    factor = factor * weights["gamma"] if "gamma" in weights else factor
    offset = -weights["mean"] * factor
    offset = offset + weights["beta"] if "beta" in weights else offset
    return inputs[0] * factor + offset


def _hard_sigmoid(tf: Any, node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    return tf.nn.relu6(inputs[0] + 3.0) * node.attrs.get("scale", 1.0 / 6.0)


def _hard_swish(tf: Any, node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    return inputs[0] * _hard_sigmoid(tf, node, inputs, weights)


def _max_pool(tf: Any, node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    top, bottom, left, right = node.attrs["pad"]
    value = inputs[0]
    if any(node.attrs["pad"]):
        lowest = value.dtype.min
        value = tf.pad(value, [[0, 0], [top, bottom], [left, right], [0, 0]], constant_values=lowest)
    return tf.nn.max_pool2d(value, node.attrs["kernel"], node.attrs["strides"], "VALID")


def _avg_pool(tf: Any, node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    factor = node.attrs.get("factor", 1.0)
    kernel, strides = node.attrs["kernel"], node.attrs["strides"]
    top, bottom, left, right = node.attrs["pad"]
    edges = [[0, 0], [top, bottom], [left, right], [0, 0]]
    mean = tf.nn.avg_pool2d(tf.pad(inputs[0], edges), kernel, strides, "VALID")
    if not node.attrs.get("count_include_pad", True) and any(node.attrs["pad"]):
        mean = mean * _places_per_pixel(node, inputs[0].shape[1:3])
    return mean * factor if factor != 1.0 else mean


def _places_per_pixel(node: Node, size: Sequence[int]) -> NDArray[np.float32]:
    """Return (1, H, W, 1): a window's places over those that are no padding, to multiply with. TensorFlow's division
    is an approximation, which misses ties.
    """
    top, bottom, left, right = node.attrs["pad"]
    inside = np.pad(np.ones(tuple(size), np.int32), ((top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(inside, node.attrs["kernel"])
    rows, columns = node.attrs["strides"]
    counts = windows[::rows, ::columns].sum((-2, -1))
    return np.asarray(np.prod(node.attrs["kernel"]) / counts, np.float32)[None, ..., None]


def _upsample(tf: Any, node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    height, width, _ = node.shape
    settings = {
        "align_corners": bool(node.attrs.get("align_corners", False)),
        "half_pixel_centers": bool(node.attrs.get("half_pixel_centers", False)),
    }
    if node.attrs["method"] == "nearest":
        return tf.raw_ops.ResizeNearestNeighbor(images=inputs[0], size=(height, width), **settings)
    return tf.raw_ops.ResizeBilinear(images=inputs[0], size=(height, width), **settings)


def _pad(tf: Any, node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    top, bottom, left, right = node.attrs["pad"]
    return tf.pad(inputs[0], [[0, 0], [top, bottom], [left, right], [0, 0]], mode=node.attrs.get("mode", "constant"))


def _crop(tf: Any, node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    top, _, left, _ = node.attrs["crop"]
    height, width, _ = node.shape
    return inputs[0][:, top : top + height, left : left + width]


def _fold(name: str) -> Callable[[Any, Node, Sequence[Tensor], Weights], Tensor]:
    def rule(tf: Any, node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
        result = inputs[0]
        for other in inputs[1:]:
            # Keras broadcasts without the batch axis from the right; equal ranks are what importers make.
            result = getattr(tf, name)(result, other)
        return result

    return rule


_RULES: dict[Op, Callable[[Any, Node, Sequence[Tensor], Weights], Tensor]] = {
    Op.CONV2D: _conv2d,
    Op.DEPTHWISE_CONV2D: _depthwise,
    Op.TRANSPOSED_CONV2D: _transposed,
    Op.DENSE: _dense,
    Op.BATCH_NORM: _batch_norm,
    Op.RELU: lambda tf, node, inputs, weights: tf.nn.relu(inputs[0]),
    Op.RELU6: lambda tf, node, inputs, weights: tf.clip_by_value(inputs[0], 0.0, node.attrs.get("maximum", 6.0)),
    Op.LEAKY_RELU: lambda tf, node, inputs, weights: tf.nn.leaky_relu(inputs[0], node.attrs["alpha"]),
    Op.SIGMOID: lambda tf, node, inputs, weights: tf.sigmoid(inputs[0]),
    Op.HARD_SIGMOID: _hard_sigmoid,
    Op.SWISH: lambda tf, node, inputs, weights: inputs[0] * tf.sigmoid(inputs[0]),
    Op.HARD_SWISH: _hard_swish,
    Op.ELU: lambda tf, node, inputs, weights: tf.where(
        inputs[0] > 0, inputs[0], node.attrs.get("alpha", 1.0) * tf.math.expm1(tf.minimum(inputs[0], 0.0))
    ),
    Op.SELU: lambda tf, node, inputs, weights: tf.nn.selu(inputs[0]),
    Op.GELU: lambda tf, node, inputs, weights: tf.nn.gelu(inputs[0], node.attrs.get("approximate", False)),
    Op.TANH: lambda tf, node, inputs, weights: tf.tanh(inputs[0]),
    Op.SOFTMAX: lambda tf, node, inputs, weights: tf.nn.softmax(inputs[0]),
    Op.MAX_POOL: _max_pool,
    Op.AVG_POOL: _avg_pool,
    Op.ADD: _fold("add"),
    Op.MULTIPLY: _fold("multiply"),
    Op.CONCAT: lambda tf, node, inputs, weights: tf.concat(inputs, node.attrs["axis"]),
    Op.UPSAMPLE: _upsample,
    Op.CROP: _crop,
    Op.PAD: _pad,
    Op.RESHAPE: lambda tf, node, inputs, weights: tf.reshape(inputs[0], (-1, *node.attrs["shape"])),
    Op.PERMUTE: lambda tf, node, inputs, weights: tf.transpose(inputs[0], node.attrs["axes"]),
    Op.DROPOUT: lambda tf, node, inputs, weights: inputs[0],
}
