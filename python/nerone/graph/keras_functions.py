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
    if kind == "GetItem":
        return kind, {"key": _arguments(call)[1]}
    if kind == "Clip":
        return kind, settings
    if kind == "Pad":
        return _padding(settings, call) or (kind, settings)
    constant = _constant(call)
    if constant is not None:
        return _with_constant(kind, *constant) or (kind, settings)
    if kind == "Reshape" and shape is not None:
        return "Reshape", {"target_shape": shape}
    if kind == "Transpose":
        return "Permute", {"dims": tuple(settings.get("axes") or ())[1:]}
    if kind == "Negative":
        return "Rescaling", {"scale": -1.0, "offset": 0.0}
    if kind == "Resize":
        return "Resizing", {**settings, "height": settings["size"][0], "width": settings["size"][1]}
    if kind in ("Mean", "Max") and _axes(settings.get("axis")) == (1, 2):
        pool = "GlobalAveragePooling2D" if kind == "Mean" else "GlobalMaxPooling2D"
        return pool, {"keepdims": settings.get("keepdims", False)}
    return kind, settings


def _arguments(call: Any) -> list[Any]:
    return [*call.arguments.args, *call.arguments.kwargs.values()]


def _padding(settings: Mapping[str, Any], call: Any) -> tuple[str, Mapping[str, Any]] | None:
    """Zeros around the rows and columns of an image."""
    widths = [tuple(pair) for pair in settings.get("pad_width", ())]
    image = len(widths) == 4 and not any((*widths[0], *widths[3]))
    fill = _arguments(call)[1:]
    if not image or settings.get("mode") != "constant" or any(value not in (None, 0) for value in fill):
        return None
    return "ZeroPadding2D", {"padding": widths[1:3]}


def _with_constant(kind: str, value: np.ndarray[Any, Any], right: bool) -> tuple[str, Mapping[str, Any]] | None:
    if kind in ("Maximum", "Minimum") and value.size == 1:
        return "Clip", {"x_min" if kind == "Maximum" else "x_max": float(value.reshape(()))}
    affine = _affine(kind, value, right)
    return ("Rescaling", affine) if affine else None


def _constant(call: Any) -> tuple[np.ndarray[Any, Any], bool] | None:
    """The constant of a binary operation and whether it stands on the right; None where both sides are tensors."""
    arguments = _arguments(call)
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
