"""TensorFlow functions inside models of Keras 2 (TFOpLambda, SlicingOpLambda), read as the layers of the same meaning.

Only their names and arguments are read; nothing of them is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nerone.graph.keras_functions import translate
from nerone.graph.layer_spec import LayerSpec

__all__ = ["TENSORFLOW_LAYERS", "tensorflow_spec"]

TENSORFLOW_LAYERS = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty")

# Operation of keras.ops by the last word of a TensorFlow function.
_SAME = {
    "add": "Add",
    "subtract": "Subtract",
    "sub": "Subtract",
    "multiply": "Multiply",
    "mul": "Multiply",
    "truediv": "TrueDivide",
    "divide": "TrueDivide",
    "maximum": "Maximum",
    "minimum": "Minimum",
    "square": "Square",
    "negative": "Negative",
    "relu": "Relu",
    "relu6": "Relu6",
    "elu": "Elu",
    "selu": "Selu",
    "silu": "Silu",
    "swish": "Silu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "identity": "Identity",
    "stop_gradient": "Identity",
}
_MODULES = ("", "math", "nn", "image", "__operators__")


def tensorflow_spec(
    name: str, config: Mapping[str, Any], arguments: Sequence[Any], named: Mapping[str, Any]
) -> LayerSpec:
    """Describe one call of a TensorFlow function as a layer.

    Parameters
    ----------
    name : of the layer
    config : its configuration, with the function's name
    arguments : all arguments of the call, in order; ``TENSOR`` for each computed tensor
    named : those given by name
    """
    function = str(config.get("function", "unknown"))
    found = _translated(function, arguments, named)
    if found is None:
        return LayerSpec(name, "TFOpLambda", {"function": function})
    return LayerSpec(name, *found)


def _translated(
    function: str, arguments: Sequence[Any], named: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]] | None:
    prefix, _, word = function.removeprefix("compat.v1.").rpartition(".")
    if prefix not in _MODULES:
        return None
    special = _SPECIAL.get(word)
    if special is not None:
        settings = special(named)
        kept = arguments if word == "getitem" else arguments[:1]
        return None if settings is None else translate(settings[0], settings[1], kept, None)
    return translate(_SAME[word], {}, arguments, None) if word in _SAME else None


def _reduction(kind: str) -> Any:
    return lambda named: (kind, {"axis": named.get("axis"), "keepdims": bool(named.get("keepdims", False))})


def _resized(named: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    if named.get("preserve_aspect_ratio") or named.get("antialias"):
        return None
    return "Resize", {"size": named["size"], "interpolation": str(named.get("method", "bilinear")).lower()}


def _padded(named: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    if str(named.get("mode", "CONSTANT")).upper() != "CONSTANT" or named.get("constant_values", 0) not in (0, 0.0):
        return None
    return "Pad", {"pad_width": named["paddings"], "mode": "constant"}


def _cast(named: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    return ("Identity", {}) if str(named.get("dtype", "")).startswith("float") else None


_SPECIAL: dict[str, Any] = {
    "concat": lambda named: ("Concatenate", {"axis": named.get("axis", -1)}),
    "leaky_relu": lambda named: ("LeakyRelu", {"alpha": named.get("alpha", 0.2)}),
    "gelu": lambda named: ("Gelu", {"approximate": bool(named.get("approximate", False))}),
    "softmax": lambda named: ("Softmax", {"axis": named.get("axis", -1)}),
    "clip_by_value": lambda named: ("Clip", {"x_min": named["clip_value_min"], "x_max": named["clip_value_max"]}),
    "reduce_mean": _reduction("Mean"),
    "reduce_max": _reduction("Max"),
    "reshape": lambda named: ("Reshape", {"newshape": named.get("shape")}),
    "transpose": lambda named: ("Transpose", {"axes": named.get("perm")}),
    "resize": _resized,
    "getitem": lambda named: ("GetItem", {}),
    "pad": _padded,
    "cast": _cast,
}
