"""Graphs as Keras 2 h5 files, the form that the vendor's TensorFlow programs load. No TensorFlow is needed to write."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ModelError
from nerone.graph.graph import Graph, Node, Op
from nerone.graph.keras2_order import loading_order
from nerone.graph.padding import same_padding, transposed_padding

__all__ = ["write_keras2_h5"]

# A late Keras 2; its readers accept files of all 2.x.
_KERAS_VERSION = "2.12.0"


@dataclass(frozen=True)
class _Layer:
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


_Entry = tuple[str, _Layer, list[str]]


def write_keras2_h5(graph: Graph, path: str | Path) -> None:
    """Write a graph as Keras 2 would save it.

    Parameters
    ----------
    graph : Graph as imported
    path : file to write

    Raises
    ------
    ModelError
        A node that no layer of Keras 2 computes; the message names its layer and what to do.
    """
    import h5py

    names = _names(graph)
    entries: list[_Entry] = []
    for node in graph:
        sources = [names[name] for name in node.inputs]
        layers = _layers(graph, node)
        for number, layer in enumerate(layers):
            name = names[node.name] if number == len(layers) - 1 else f"{names[node.name]}_before{number}"
            entries.append((name, layer, sources))
            sources = [name]
    config: dict[str, Any] = {
        "name": _plain(graph.name) or "model",
        "layers": [_described(name, layer, sources) for name, layer, sources in entries],
        "input_layers": [[names[name], 0, 0] for name in graph.inputs],
        "output_layers": [[names[name], 0, 0] for name in graph.outputs],
    }
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        groups = file.create_group("model_weights")
        for place in (file, groups):
            place.attrs["backend"], place.attrs["keras_version"] = "tensorflow", _KERAS_VERSION
        order = loading_order({name: inputs for name, _, inputs in entries}, [names[name] for name in graph.outputs])
        groups.attrs["layer_names"] = np.array([name.encode() for name in order], "S")
        for name, layer, _ in entries:
            group = groups.create_group(name)
            stored = {f"{name}/{key}:0": array for key, array in layer.weights.items()}
            group.attrs["weight_names"] = np.array([key.encode() for key in stored], "S") if stored else np.zeros(0)
            for key, array in stored.items():
                group.create_dataset(key, data=array)


def _plain(name: str) -> str:
    return name.replace("/", "_").replace(":", "_")


def _names(graph: Graph) -> dict[str, str]:
    """Layer names, in which a slash would be a folder of the file."""
    found: dict[str, str] = {}
    for node in graph:
        name = _plain(node.name)
        while name in found.values():
            name += "_"
        found[node.name] = name
    return found


def _described(name: str, layer: _Layer, sources: list[str]) -> dict[str, Any]:
    inbound = [[[source, 0, 0, {}] for source in sources]] if sources else []
    # Keras 2 refuses arguments that a layer does not know.
    general = {} if layer.kind == "InputLayer" else {"trainable": True}
    config = {"name": name, "dtype": "float32", **general, **layer.config}
    return {"class_name": layer.kind, "config": config, "name": name, "inbound_nodes": inbound}


def _layers(graph: Graph, node: Node) -> list[_Layer]:
    if node.op is Op.INPUT:
        shape = {"batch_input_shape": [None, *node.shape], "sparse": False, "ragged": False}
        return [_Layer("InputLayer", shape)]
    rule = _RULES.get(node.op)
    if rule is None:
        kind = node.op.value.replace("_", " ")
        raise _refused(node, f"Keras 2 has no layer for {kind} as Keras 3 computes it; use a ReLU, sigmoid or swish")
    return rule(node, graph[node.inputs[0]].shape)


def _refused(node: Node, reason: str) -> ModelError:
    return ModelError(f"layer '{node.layer or node.name}' cannot be given to the vendor's quantizer: {reason}")


Shape = tuple[int, ...]
Rule = Callable[[Node, Shape], list[_Layer]]


def _window(node: Node, shape: Shape, kernel: Shape) -> tuple[str, list[_Layer]]:
    """Keras's name of the padding, and a layer of zeros where it has none."""
    pad = tuple(node.attrs["pad"])
    if not any(pad):
        return "valid", []
    strides, dilation = node.attrs["strides"], node.attrs.get("dilation", (1, 1))
    same = [same_padding(shape[axis], kernel[axis], strides[axis], dilation[axis]) for axis in (0, 1)]
    if pad == (*same[0], *same[1]):
        return "same", []
    return "valid", [_zeros(pad)]


def _zeros(pad: Shape) -> _Layer:
    return _Layer("ZeroPadding2D", {"padding": [list(pad[:2]), list(pad[2:])], "data_format": "channels_last"})


def _convolution(node: Node, shape: Shape) -> list[_Layer]:
    kernel, bias = node.weights["kernel"], node.weights.get("bias")
    padding, before = _window(node, shape, kernel.shape)
    config: dict[str, Any] = {
        "kernel_size": list(kernel.shape[:2]),
        "strides": list(node.attrs["strides"]),
        "padding": padding,
        "data_format": "channels_last",
        "dilation_rate": list(node.attrs["dilation"]),
        "activation": "linear",
        "use_bias": bias is not None,
    }
    named = {} if bias is None else {"bias": bias}
    if node.op is Op.CONV2D:
        return [*before, _Layer("Conv2D", {"filters": kernel.shape[3], **config}, {"kernel": kernel, **named})]
    if config["strides"][0] != config["strides"][1]:
        raise _refused(node, f"a depthwise convolution with strides {node.attrs['strides']}; use equal strides")
    config = {"depth_multiplier": kernel.shape[3], **config}
    return [*before, _Layer("DepthwiseConv2D", config, {"depthwise_kernel": kernel, **named})]


def _transposed(node: Node, shape: Shape) -> list[_Layer]:
    kernel, strides, pad = node.weights["kernel"], node.attrs["strides"], tuple(node.attrs["pad"])
    sizes = list(zip(shape[:2], kernel.shape[:2], strides, node.shape[:2], strict=True))
    same = [transposed_padding(length, size, stride, out, same=True) for length, size, stride, out in sizes]
    if all(out == length * stride + max(size - stride, 0) for length, size, stride, out in sizes) and not any(pad):
        padding = "valid"
    elif all(out == length * stride for length, _, stride, out in sizes) and pad == (*same[0][:2], *same[1][:2]):
        padding = "same"
    else:
        raise _refused(node, "a transposed convolution with an output padding; use padding 'same' or 'valid' alone")
    config = {
        "filters": kernel.shape[2],
        "kernel_size": list(kernel.shape[:2]),
        "strides": list(strides),
        "padding": padding,
        "data_format": "channels_last",
        "activation": "linear",
        "use_bias": "bias" in node.weights,
    }
    return [_Layer("Conv2DTranspose", config, dict(node.weights))]


def _dense(node: Node, shape: Shape) -> list[_Layer]:
    config = {
        "units": node.weights["kernel"].shape[1],
        "activation": "linear",
        "use_bias": "bias" in node.weights,
    }
    return [_Layer("Dense", config, dict(node.weights))]


def _batch_norm(node: Node, shape: Shape) -> list[_Layer]:
    names = {"gamma": "gamma", "beta": "beta", "mean": "moving_mean", "variance": "moving_variance"}
    config = {
        "axis": [len(shape)],
        "momentum": 0.99,
        "epsilon": node.attrs["epsilon"],
        "center": "beta" in node.weights,
        "scale": "gamma" in node.weights,
    }
    weights = {stored: node.weights[key] for key, stored in names.items() if key in node.weights}
    return [_Layer("BatchNormalization", config, weights)]


def _pool(kind: str) -> Rule:
    def rule(node: Node, shape: Shape) -> list[_Layer]:
        padding, before = _window(node, shape, tuple(node.attrs["kernel"]))
        average = kind == "AveragePooling2D"
        if (before and not average) or (average and padding != "valid" and node.attrs.get("count_include_pad", True)):
            raise _refused(node, "a pool with this padding; use padding 'same' or 'valid'")
        if before and not node.attrs.get("count_include_pad", True):
            raise _refused(node, "an average pool that leaves its padding out; use padding 'same' or 'valid'")
        config = {
            "pool_size": list(node.attrs["kernel"]),
            "strides": list(node.attrs["strides"]),
            "padding": padding,
            "data_format": "channels_last",
        }
        return [*before, _Layer(kind, config)]

    return rule


def _upsample(node: Node, shape: Shape) -> list[_Layer]:
    method, half = node.attrs["method"], bool(node.attrs.get("half_pixel_centers"))
    if node.attrs.get("align_corners") or (method == "bilinear") != half:
        raise _refused(node, "an upsampling with other pixel centres than Keras's; use UpSampling2D")
    config = {"size": list(node.attrs["scale"]), "interpolation": method, "data_format": "channels_last"}
    return [_Layer("UpSampling2D", config)]


def _pad(node: Node, shape: Shape) -> list[_Layer]:
    if node.attrs.get("mode", "constant") != "constant":
        raise _refused(node, f"padding by '{node.attrs['mode']}'; use zeros")
    return [_zeros(tuple(node.attrs["pad"]))]


def _crop(node: Node, shape: Shape) -> list[_Layer]:
    top, bottom, left, right = node.attrs["crop"]
    config = {"cropping": [[top, bottom], [left, right]], "data_format": "channels_last"}
    return [_Layer("Cropping2D", config)]


def _reshape(node: Node, shape: Shape) -> list[_Layer]:
    target = list(node.attrs["shape"])
    return [
        _Layer("Flatten", {"data_format": "channels_last"})
        if len(target) == 1
        else _Layer("Reshape", {"target_shape": target})
    ]


def _activation(name: str) -> Rule:
    return lambda node, shape: [_Layer("Activation", {"activation": name})]


_RULES: dict[Op, Rule] = {
    Op.CONV2D: _convolution,
    Op.DEPTHWISE_CONV2D: _convolution,
    Op.TRANSPOSED_CONV2D: _transposed,
    Op.DENSE: _dense,
    Op.BATCH_NORM: _batch_norm,
    Op.RELU: _activation("relu"),
    Op.SIGMOID: _activation("sigmoid"),
    Op.SWISH: _activation("swish"),
    Op.TANH: _activation("tanh"),
    Op.SELU: _activation("selu"),
    Op.GELU: _activation("gelu"),
    Op.ELU: lambda node, shape: [_Layer("ELU", {"alpha": float(node.attrs.get("alpha", 1.0))})],
    Op.SOFTMAX: _activation("softmax"),
    Op.RELU6: lambda node, shape: [_Layer("ReLU", {"max_value": 6.0, "negative_slope": 0.0, "threshold": 0.0})],
    Op.LEAKY_RELU: lambda node, shape: [_Layer("LeakyReLU", {"alpha": float(node.attrs["alpha"])})],
    Op.MAX_POOL: _pool("MaxPooling2D"),
    Op.AVG_POOL: _pool("AveragePooling2D"),
    Op.ADD: lambda node, shape: [_Layer("Add")],
    Op.MULTIPLY: lambda node, shape: [_Layer("Multiply")],
    Op.CONCAT: lambda node, shape: [_Layer("Concatenate", {"axis": int(node.attrs["axis"])})],
    Op.UPSAMPLE: _upsample,
    Op.CROP: _crop,
    Op.PAD: _pad,
    Op.RESHAPE: _reshape,
    Op.PERMUTE: lambda node, shape: [_Layer("Permute", {"dims": list(node.attrs["axes"][1:])})],
    Op.DROPOUT: lambda node, shape: [_Layer("Dropout", {"rate": 0.5})],
}
