"""ONNX files that nobody vouches for: arrays from the model's own folder, sizes bounded, few constants computed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ConfigurationError, Error, ModelError
from nerone.graph.h5_arrays import MOST_BYTES

__all__ = ["fold", "import_onnx", "is_quantized", "opset_of", "read_onnx"]

OLDEST_OPSET = 11
_MOST_VALUES = 1 << 27
# Operators that are computed while a model is read: nothing that loops, calls or draws numbers.
_FOLDED = frozenset(
    " ".join(
        (
            "Abs Add Cast Ceil Clip Concat Constant ConstantOfShape DequantizeLinear Div Equal Expand Flatten",
            "Floor Gather Greater Identity Less Max Min Mod Mul Neg Not Pow QuantizeLinear Range Reciprocal",
            "ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Reshape Round Shape Size Slice Split Sqrt",
            "Squeeze Sub Tile Transpose Unsqueeze Where",
        )
    ).split()
)


def import_onnx() -> Any:
    """Return the package ``onnx``.

    Raises
    ------
    ConfigurationError
        It is missing.
    """
    try:
        import onnx
    except ImportError as error:
        raise ConfigurationError(
            "reading ONNX models needs the package onnx; install it with pip install onnx"
        ) from error
    return onnx


def read_onnx(path: Path) -> Any:
    """Return the checked ModelProto of a file with all its arrays.

    Raises
    ------
    ModelError
        No ONNX model, an opset that is too old, or arrays outside the model's folder.
    """
    onnx = import_onnx()
    try:
        model = onnx.load(str(path), load_external_data=False)
        outside = [tensor for tensor in _tensors(onnx, model) if tensor.data_location == onnx.TensorProto.EXTERNAL]
        for tensor in outside:
            _check_external(tensor, path)
        if outside:
            onnx.load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
    except Error:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"'{path}' is no valid ONNX model: {first}") from error
    if opset_of(model) < OLDEST_OPSET:
        raise ModelError(f"'{path}' has opset {opset_of(model)}; export it with opset {OLDEST_OPSET} or newer")
    return model


def is_quantized(path: Path) -> bool:
    """Whether an ONNX file has operators that quantize; False where it cannot be read."""
    onnx = import_onnx()
    try:
        nodes = onnx.load(str(path), load_external_data=False).graph.node
    except Exception:
        return False  # whoever loads it says why
    return any("QuantizeLinear" in node.op_type or "quantizeLinear" in node.op_type for node in nodes)


def opset_of(model: Any) -> int:
    """Return the version of ONNX's operators that a model uses."""
    return max((int(item.version) for item in model.opset_import if item.domain in ("", "ai.onnx")), default=0)


def _tensors(onnx: Any, model: Any) -> Iterator[Any]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
            yield from attribute.tensors


def _check_external(tensor: Any, path: Path) -> None:
    place = {entry.key: entry.value for entry in tensor.external_data}
    folder = path.parent.resolve()
    file = (folder / place.get("location", "")).resolve()
    if folder not in file.parents or not file.is_file():
        raise ModelError(
            f"'{path}' keeps the array '{tensor.name}' in '{place.get('location', '')}', no file of its folder; "
            "put both into one folder, or save the model as one file"
        )
    size, start = file.stat().st_size, int(place.get("offset") or 0)
    length = int(place.get("length") or size - start)
    if start < 0 or length < 0 or start + length > size or length > MOST_BYTES:
        raise ModelError(
            f"'{path}': the array '{tensor.name}' wants {length} bytes from {start} on of the {size} in '{file.name}'; "
            "export the model again"
        )


def fold(node: Any, inputs: Sequence[NDArray[Any] | None], attrs: Mapping[str, Any], opset: int) -> list[NDArray[Any]]:
    """Compute a node of constants, such as the target of a reshape.

    Parameters
    ----------
    node : NodeProto
    inputs : its inputs; None where one is absent
    attrs : its attributes
    opset : int, of the model

    Raises
    ------
    ModelError
        It is none of the usual ones, fails, or would become too large.
    """
    name = node.name or node.output[0]
    if node.op_type not in _FOLDED or node.domain not in ("", "ai.onnx"):
        raise ModelError(f"ONNX node '{name}' ({node.op_type}) of constants is not computed here; simplify the model")
    if node.op_type == "Constant" and "value" in attrs:
        return [import_onnx().numpy_helper.to_array(attrs["value"])]
    try:
        size = _size(node.op_type, [array for array in inputs if array is not None])
        if size > _MOST_VALUES:
            raise ModelError(f"its result would have {size} values")
        return _run(node, inputs, opset)
    except Exception as error:
        raise ModelError(f"ONNX node '{name}' ({node.op_type}) of constants failed: {error}") from error


def _size(kind: str, inputs: Sequence[NDArray[Any]]) -> int:
    """Number of values that a node makes at most."""
    if kind == "ConstantOfShape":
        return math.prod(int(size) for size in inputs[0].reshape(-1))
    if kind == "Range":
        start, stop, step = (float(array.reshape(())) for array in inputs)
        return int(max((stop - start) / step, 0))
    if kind == "Expand":
        return math.prod(int(size) for size in inputs[1].reshape(-1)) * inputs[0].size
    if kind == "Tile":
        return math.prod(int(size) for size in inputs[1].reshape(-1)) * inputs[0].size
    if kind in ("Gather", "Concat", "Constant", "Split", "Slice", "Reshape", "Squeeze", "Unsqueeze", "Transpose"):
        return sum(array.size for array in inputs)
    if kind.startswith("Reduce") or kind.endswith("Linear") or len(inputs) < 2:
        return max((array.size for array in inputs), default=0)
    return math.prod(np.broadcast_shapes(*(array.shape for array in inputs)))


def _run(node: Any, inputs: Sequence[NDArray[Any] | None], opset: int) -> list[NDArray[Any]]:
    onnx = import_onnx()
    from onnx.reference import ReferenceEvaluator

    given = {name: np.asarray(array) for name, array in zip(node.input, inputs, strict=True) if array is not None}
    kinds = {name: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in given.items()}
    described = [onnx.helper.make_tensor_value_info(name, kinds[name], array.shape) for name, array in given.items()]
    ends = [onnx.ValueInfoProto(name=name) for name in node.output]
    graph = onnx.helper.make_graph([node], "constants", described, ends)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    return [np.asarray(result) for result in ReferenceEvaluator(model).run(None, given)]
