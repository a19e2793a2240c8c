"""Calls of ``keras.ops`` inside a Functional model, read as the layers of the same meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nerone.graph.layer_spec import LayerSpec

__all__ = ["function_spec"]


def function_spec(operation: Any, call: Any, shape: tuple[int, ...] | None) -> LayerSpec:
    """Describe one call of a ``keras.ops`` function as a layer."""
    kind = type(operation).__name__
    settings = {key: value for key, value in vars(operation).items() if not key.startswith("_")}
    class_name, config = _translate(kind, settings, call, shape)
    return LayerSpec(str(operation.name), class_name, config, {}, shape)


def _translate(kind: str, settings: Mapping[str, Any], call: Any, shape: Any) -> tuple[str, Mapping[str, Any]]:
    constant = _constant(call)
    if constant is not None:
        affine = _affine(kind, *constant)
        return ("Rescaling", affine) if affine else (kind, settings)
    if kind == "Reshape" and shape is not None:
        return "Reshape", {"target_shape": shape}
    if kind == "Transpose":
        return "Permute", {"dims": tuple(settings.get("axes") or ())[1:]}
    if kind in ("Mean", "Max") and _axes(settings.get("axis")) == (1, 2):
        pool = "GlobalAveragePooling2D" if kind == "Mean" else "GlobalMaxPooling2D"
        return pool, {"keepdims": settings.get("keepdims", False)}
    return kind, settings


def _constant(call: Any) -> tuple[np.ndarray[Any, Any], bool] | None:
    """The constant of a binary operation and whether it stands on the right; None where both sides are tensors."""
    arguments = [*call.arguments.args, *call.arguments.kwargs.values()]
    if len(arguments) != 2 or len(call.input_tensors) != 1:
        return None
    right = hasattr(arguments[0], "_keras_history")
    value = arguments[1] if right else arguments[0]
    try:
        return np.asarray(value, np.float32), right
    except (TypeError, ValueError):
        return None


def _affine(kind: str, value: np.ndarray[Any, Any], right: bool) -> dict[str, Any] | None:
    if kind == "Multiply":
        return {"scale": value, "offset": 0.0}
    if kind == "Add":
        return {"scale": 1.0, "offset": value}
    if kind == "Subtract":
        return {"scale": 1.0, "offset": -value} if right else {"scale": -1.0, "offset": value}
    if kind in ("TrueDivide", "Divide") and right:
        return {"scale": 1.0 / value, "offset": 0.0}
    return None


def _axes(axis: Any) -> tuple[int, ...]:
    if axis is None:
        return ()
    return (int(axis),) if isinstance(axis, int) else tuple(int(one) for one in axis)
