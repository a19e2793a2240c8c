"""Calls of ``keras.ops`` inside a Functional model, read as the layers of the same meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nerone.graph.layer_spec import LayerSpec

__all__ = ["TENSOR", "function_spec", "translate"]

TENSOR = object()
"""Stands for a computed tensor among the arguments of a call."""


def function_spec(
    name: str, kind: str, settings: Mapping[str, Any], arguments: Sequence[Any], shape: tuple[int, ...] | None
) -> LayerSpec:
    """Describe one call of a ``keras.ops`` function as a layer.

    Parameters
    ----------
    name : of the call
    kind : class of the operation ("Add")
    settings : what the operation was made with ("axis")
    arguments : of the call, in order; ``TENSOR`` for each computed tensor
    shape : of the result, without the batch axis, where it is known
    """
    return LayerSpec(name, *translate(kind, settings, arguments, shape), {}, shape)


def translate(
    kind: str, settings: Mapping[str, Any], arguments: Sequence[Any], shape: tuple[int, ...] | None
) -> tuple[str, Mapping[str, Any]]:
    """Return the class and the configuration of the layer that computes what a function does."""
    if kind == "GetItem":
        return kind, {"key": arguments[1]}
    if kind == "Clip":
        return kind, settings
    if kind == "Pad":
        return _padding(settings, arguments) or (kind, settings)
    constant = _constant(arguments)
    if constant is not None:
        return _with_constant(kind, *constant) or (kind, settings)
    if kind == "Reshape":
        target = shape or _target(settings.get("newshape"))
        return (kind, {"target_shape": target}) if target else ("ops.reshape", settings)
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


def _target(new: Any) -> tuple[int, ...] | None:
    """The shape to reshape an image to, where the batch stays as it is."""
    if not isinstance(new, (list, tuple)) or len(new) < 2 or new[0] in (0,):
        return None
    return tuple(-1 if size is None else int(size) for size in new[1:])


def _padding(settings: Mapping[str, Any], arguments: Sequence[Any]) -> tuple[str, Mapping[str, Any]] | None:
    """Zeros around the rows and columns of an image."""
    widths = [tuple(pair) for pair in settings.get("pad_width", ())]
    image = len(widths) == 4 and not any((*widths[0], *widths[3]))
    if not image or settings.get("mode") != "constant" or any(value not in (None, 0) for value in arguments[1:]):
        return None
    return "ZeroPadding2D", {"padding": widths[1:3]}


def _with_constant(kind: str, value: np.ndarray[Any, Any], right: bool) -> tuple[str, Mapping[str, Any]] | None:
    if kind in ("Maximum", "Minimum") and value.size == 1:
        return "Clip", {"x_min" if kind == "Maximum" else "x_max": float(value.reshape(()))}
    affine = _affine(kind, value, right)
    return ("Rescaling", affine) if affine else None


def _constant(arguments: Sequence[Any]) -> tuple[np.ndarray[Any, Any], bool] | None:
    """The constant of a binary operation and whether it stands on the right; None where both sides are tensors."""
    if len(arguments) != 2 or sum(argument is TENSOR for argument in arguments) != 1:
        return None
    right = arguments[0] is TENSOR
    try:
        return np.asarray(arguments[1 if right else 0], np.float32), right
    except (TypeError, ValueError):
        return None


def _affine(kind: str, value: np.ndarray[Any, Any], right: bool) -> dict[str, Any] | None:
    if kind == "Multiply":
        return {"scale": value, "offset": 0.0}
    if kind == "Add":
        return {"scale": 1.0, "offset": value}
    if kind == "Subtract":
        return {"scale": 1.0, "offset": -value} if right else {"scale": -1.0, "offset": value}
    if kind in ("TrueDivide", "Divide") and right and np.all(value != 0):
        return {"scale": 1.0 / value, "offset": 0.0}
    return None


def _axes(axis: Any) -> tuple[int, ...]:
    """Axes of an image, counted with the batch, in order."""
    if axis is None:
        return ()
    return tuple(sorted(int(one) % 4 for one in ([axis] if isinstance(axis, int) else axis)))
