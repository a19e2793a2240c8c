"""Quantized, uncompiled XIR (the vendor's ``*_int.xmodel``, from its PyTorch quantizer too) as a QuantizedModel.

Such a graph is in float: every constant and activation is followed by a ``fix`` op that holds its fix point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nerone.compat import zip
from nerone.compilation.quantized_xir_nodes import XirNodes
from nerone.compilation.xir_attrs import Attrs, Pads, constant_array, window_pads
from nerone.errors import ConfigurationError, ModelError, model_errors
from nerone.graph import Graph, Node, Op
from nerone.quantization.model import QuantizedModel

__all__ = ["from_quantized_xir", "load_quantized_xir"]

_FIX = frozenset({"fix", "quantize", "dequantize"})
_PASS = frozenset({"identity", "upload", "download", "placeholder", "dropout"})
_IGNORED = frozenset({"shape", "stack"})  # they compute the shape of a reshape, which its output tensor has anyway
_PLAIN = {
    "relu": Op.RELU,
    "relu6": Op.RELU6,
    "sigmoid": Op.SIGMOID,
    "hard-sigmoid": Op.HARD_SIGMOID,
    "swish": Op.SWISH,
    "hard-swish": Op.HARD_SWISH,
    "tanh": Op.TANH,
    "selu": Op.SELU,
    "gelu": Op.GELU,
    "softmax": Op.SOFTMAX,
    "add": Op.ADD,
    "mul": Op.MULTIPLY,
}
_RESHAPES = frozenset({"reshape", "flatten", "squeeze"})
_CONVOLUTIONS = {
    "conv2d": Op.CONV2D,
    "depthwise-conv2d": Op.DEPTHWISE_CONV2D,
    "transposed-conv2d": Op.TRANSPOSED_CONV2D,
}
_POOLS = {"maxpool2d": Op.MAX_POOL, "maxpool": Op.MAX_POOL, "avgpool2d": Op.AVG_POOL, "avgpool": Op.AVG_POOL}


def load_quantized_xir(path: str | Path) -> QuantizedModel:
    """Read a quantized, uncompiled xmodel.

    Raises
    ------
    ConfigurationError
        where there is no such file.
    ModelError
        where it is damaged, already compiled, or holds an op without an equivalent, naming it.
    """
    from nerone import _core

    if not Path(path).is_file():
        raise ConfigurationError(f"there is no model '{path}'; check the path")
    with model_errors(Path(path)):
        return from_quantized_xir(_core.read_xmodel(str(path)))


def from_quantized_xir(xir: Mapping[str, Any]) -> QuantizedModel:
    """Import a graph in the schema of `nerone._core.read_xmodel`."""
    if any(child["attrs"].get("device") == "DPU" for child in xir["root"]["children"]):
        raise ModelError(f"'{xir['name']}' is compiled already; run it as it is, or give the quantized *_int.xmodel")
    importer = _Importer()
    for op in xir["ops"]:
        importer.add(op)
    read = {name for op in xir["ops"] for names in op["inputs"].values() for name in names}
    outputs = [
        importer.alias[op["name"]] for op in xir["ops"] if op["name"] not in read and op["name"] in importer.alias
    ]
    if not importer.fix_points:
        raise ModelError(f"'{xir['name']}' is not quantized: it has no fix op; quantize it first")
    inputs = tuple(node.name for node in importer.nodes if node.op is Op.INPUT)
    graph = Graph(xir["name"] or "model", tuple(importer.nodes), inputs, tuple(dict.fromkeys(outputs)))
    return QuantizedModel(
        graph, importer.fix_points, importer.weight_fix_points, {}, {"method": "xir", "source": xir["name"]}
    )


class _Importer(XirNodes):
    """Turns ops into nodes, each type by its handler."""

    def __init__(self) -> None:
        super().__init__()
        self._handlers: dict[str, Callable[[Mapping[str, Any]], Node]] = {
            **dict.fromkeys(_PLAIN, self._plain),
            **dict.fromkeys(_RESHAPES, self._reshape),
            **dict.fromkeys(_CONVOLUTIONS, self._convolution),
            **dict.fromkeys(_POOLS, self._pool),
            **dict.fromkeys(("resize", "upsample"), self._resize),
            **dict.fromkeys(("matmul", "inner-product"), self._dense),
            "data": self._data,
            "eltwise": self._eltwise,
            "leaky-relu": self._leaky_relu,
            "elu": self._elu,
            "concat": self._concat,
            "pad": self._pad,
            "strided_slice": self._slice,
            "transpose": self._transpose,
            "reduction_mean": self._mean,
            "reduction_max": self._max,
        }

    def add(self, op: Mapping[str, Any]) -> None:
        """Import one op."""
        kind, name = op["type"], op["name"]
        if kind == "const":
            self.constants[name] = (constant_array(op), None)
        elif kind in _FIX:
            self.fix(op)
        elif kind in _PASS:
            self.alias[name] = self.source(op)
        elif kind in self._handlers:
            node = self._handlers[kind](op)
            self.nodes.append(node)
            self.alias[name] = node.name
        elif kind not in _IGNORED:
            raise ModelError(f"op '{name}' is a {kind}, which has no equivalent here; replace the layer it came from")

    def _data(self, op: Mapping[str, Any]) -> Node:
        return self.node(op, Op.INPUT, sources=0)

    def _plain(self, op: Mapping[str, Any]) -> Node:
        kind = _PLAIN[op["type"]]
        count = len(op["inputs"]["input"])
        if kind is Op.SOFTMAX and Attrs(op).integer("axis", -1) not in (-1, len(op["output"]["shape"]) - 1):
            raise ModelError(f"softmax '{op['name']}' is not over the last axis; move the classes there")
        return self.node(op, kind, sources=count)

    def _eltwise(self, op: Mapping[str, Any]) -> Node:
        kinds = {"ADD": Op.ADD, "MUL": Op.MULTIPLY}
        found = str(op["attrs"].get("type", "ADD"))
        if found not in kinds:
            raise ModelError(f"op '{op['name']}' is an eltwise {found}; the DPU has ADD and MUL")
        return self.node(op, kinds[found], sources=len(op["inputs"]["input"]))

    def _leaky_relu(self, op: Mapping[str, Any]) -> Node:
        return self.node(op, Op.LEAKY_RELU, {"alpha": float(op["attrs"]["alpha"])})

    def _elu(self, op: Mapping[str, Any]) -> Node:
        return self.node(op, Op.ELU, {"alpha": float(op["attrs"].get("alpha", 1.0))})

    def _concat(self, op: Mapping[str, Any]) -> Node:
        axis = Attrs(op).integer("axis") % len(op["output"]["shape"])
        return self.node(op, Op.CONCAT, {"axis": axis}, sources=len(op["inputs"]["input"]))

    def _reshape(self, op: Mapping[str, Any]) -> Node:
        return self.node(op, Op.RESHAPE, {"shape": tuple(op["output"]["shape"][1:])})

    def _transpose(self, op: Mapping[str, Any]) -> Node:
        axes = tuple(int(axis) for axis in op["attrs"]["order"])
        if axes[0] != 0:
            raise ModelError(f"transpose '{op['name']}' moves the batch axis; keep it first")
        return self.node(op, Op.PERMUTE, {"axes": axes})

    def _pad(self, op: Mapping[str, Any]) -> Node:
        paddings = [int(size) for size in op["attrs"]["paddings"]]
        if len(paddings) != 8 or any(paddings[:2] + paddings[6:]):
            raise ModelError(
                f"pad '{op['name']}' has paddings {paddings}; only rows and columns of an image can be padded"
            )
        mode = str(op["attrs"].get("mode", "CONSTANT")).lower()
        if mode == "constant" and any(op["attrs"].get("constant_values", ())):
            raise ModelError(f"pad '{op['name']}' fills with other values than 0; pad with 0")
        return self.node(op, Op.PAD, {"pad": tuple(paddings[2:6]), "mode": mode})

    def _slice(self, op: Mapping[str, Any]) -> Node:
        begin, end, strides = ([int(size) for size in op["attrs"][key]] for key in ("begin", "end", "strides"))
        before, after = (1, *self.input_shape(op)), op["output"]["shape"]
        first = [at + size if at < 0 else at for at, size in zip(begin, before, strict=False)]
        whole = len(after) == 4 and after[0] == before[0] and after[3] == before[3] and begin[0] == begin[3] == 0
        if not whole or any(step != 1 for step in strides):
            raise ModelError(
                f"strided_slice '{op['name']}' takes {begin} to {end} by {strides}; a range of rows and columns is "
                "possible, with strides of 1"
            )
        top, left = first[1], first[2]
        crop = (top, before[1] - top - after[1], left, before[2] - left - after[2])
        return self.node(op, Op.CROP, {"crop": crop})

    def _resize(self, op: Mapping[str, Any]) -> Node:
        height, width, _ = self.input_shape(op)
        out = op["output"]["shape"]
        if height % out[1] == 0 and width % out[2] == 0 and (height > out[1] or width > out[2]):
            # The DPU takes the first pixel of each block, whatever the mode.
            steps = height // out[1], width // out[2]
            return self.node(op, Op.MAX_POOL, {"kernel": (1, 1), "strides": steps, "pad": (0, 0, 0, 0)})
        if out[1] % height or out[2] % width:
            raise ModelError(
                f"op '{op['name']}' resizes {height}x{width} to {out[1]}x{out[2]}; the factor must be whole"
            )
        attrs = {
            "scale": (out[1] // height, out[2] // width),
            "method": str(op["attrs"].get("mode", "NEAREST")).lower(),
            "align_corners": bool(op["attrs"].get("align_corners", False)),
            "half_pixel_centers": bool(op["attrs"].get("half_pixel_centers", False)),
        }
        return self.node(op, Op.UPSAMPLE, attrs)

    def _mean(self, op: Mapping[str, Any]) -> Node:
        rank = len(op["output"]["shape"])
        if sorted(axis % 4 for axis in op["attrs"]["axis"]) != [1, 2] or rank != 4:
            raise ModelError(
                f"op '{op['name']}' averages over axes {op['attrs']['axis']}; rows and columns, kept, are possible"
            )
        height, width, _ = self.input_shape(op)
        attrs = {"kernel": (height, width), "strides": (1, 1), "pad": (0, 0, 0, 0), "count_include_pad": True}
        return self.node(op, Op.AVG_POOL, attrs)

    def _max(self, op: Mapping[str, Any]) -> Node:
        """Return a pool as long as the reduced rows or columns; a reshape drops their axes where they are not kept."""
        shape = self.input_shape(op)
        axes = sorted(axis % (len(shape) + 1) for axis in op["attrs"]["axis"])
        if len(shape) != 3 or axes not in ([1], [2], [1, 2]):
            raise ModelError(
                f"op '{op['name']}' takes the maximum over axes {op['attrs']['axis']} of {(1, *shape)}; rows and "
                "columns of an image are possible"
            )
        kernel = (shape[0] if 1 in axes else 1, shape[1] if 2 in axes else 1)
        pooled = (1 if 1 in axes else shape[0], 1 if 2 in axes else shape[1], shape[2])
        attrs = {"kernel": kernel, "strides": (1, 1), "pad": (0, 0, 0, 0)}
        if len(op["output"]["shape"]) == len(shape) + 1:
            return self.node(op, Op.MAX_POOL, attrs)
        name = f"{op['name']}_pool"
        self.nodes.append(Node(name, Op.MAX_POOL, (self.source(op),), pooled, attrs, {}, op["name"]))
        self.reshaped[op["name"]] = name
        kept = tuple(int(size) for size in op["output"]["shape"][1:])
        return Node(op["name"], Op.RESHAPE, (name,), kept, {"shape": kept}, {}, op["name"])

    def _pool(self, op: Mapping[str, Any]) -> Node:
        attrs = Attrs(op)
        height, width, _ = self.input_shape(op)
        whole = bool(op["attrs"].get("global", False))
        kernel = (height, width) if whole else attrs.pair("kernel")
        strides = (1, 1) if whole else attrs.pair("stride", kernel)
        pad: Pads = (0, 0, 0, 0) if whole else window_pads(op, (height, width), kernel, strides, (1, 1))
        found: dict[str, Any] = {"kernel": kernel, "strides": strides, "pad": pad}
        if _POOLS[op["type"]] is Op.AVG_POOL:
            # The DPU divides by the whole window, and so did the quantizer.
            found["count_include_pad"] = True
        return self.node(op, _POOLS[op["type"]], found)

    def _convolution(self, op: Mapping[str, Any]) -> Node:
        kind, attrs, weights = _CONVOLUTIONS[op["type"]], Attrs(op), self.weights(op)
        kernel, strides, dilation = attrs.pair("kernel"), attrs.pair("stride"), attrs.pair("dilation", (1, 1))
        size = self.input_shape(op)[:2]
        if kind is Op.TRANSPOSED_CONV2D:
            # XIR correlates with the kernel as stored, Keras's definition mirrors it.
            weights["kernel"] = np.ascontiguousarray(weights["kernel"].transpose(1, 2, 0, 3)[::-1, ::-1])
            return self.node(op, kind, {"strides": strides, "pad": attrs.pads()}, weights)
        weights["kernel"] = np.ascontiguousarray(weights["kernel"].transpose(1, 2, 3, 0))
        pad = window_pads(op, (size[0], size[1]), kernel, strides, dilation)
        return self.node(op, kind, {"strides": strides, "pad": pad, "dilation": dilation}, weights)

    def _dense(self, op: Mapping[str, Any]) -> Node:
        sources = op["inputs"].get("input", [])
        if len(sources) == 2:
            if bool(op["attrs"].get("transpose_a", False)) or sources[1] not in self.constants:
                raise ModelError(f"op '{op['name']}' multiplies two computed matrices; only a dense layer is possible")
            op = {**op, "inputs": {**op["inputs"], "input": sources[:1], "weights": sources[1:]}}
        weights = self.weights(op)
        kernel = weights["kernel"].reshape(weights["kernel"].shape[0], -1)
        stored_as_rows = op["type"] == "inner-product" or bool(op["attrs"].get("transpose_b", False))
        weights["kernel"] = np.ascontiguousarray(kernel.T if stored_as_rows else kernel)
        return self.node(op, Op.DENSE, {}, weights)
