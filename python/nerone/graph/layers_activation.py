"""Keras activations, as layers and as the ``activation`` argument of other layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nerone.graph.builder import GraphBuilder
from nerone.graph.composed import Composer
from nerone.graph.graph import Op
from nerone.graph.layer_spec import Handler, LayerSpec, unsupported

__all__ = ["ACTIVATION_LAYERS", "activation_name", "add_activation"]

_PLAIN: dict[str, Op] = {
    "relu": Op.RELU,
    "relu6": Op.RELU6,
    "sigmoid": Op.SIGMOID,
    "hard_sigmoid": Op.HARD_SIGMOID,
    "silu": Op.SWISH,
    "swish": Op.SWISH,
    "hard_silu": Op.HARD_SWISH,
    "hard_swish": Op.HARD_SWISH,
    "tanh": Op.TANH,
    "elu": Op.ELU,
    "celu": Op.ELU,  # equal where alpha is 1, its default
    "selu": Op.SELU,
    "gelu": Op.GELU,
    "softmax": Op.SOFTMAX,
}
# tf.nn.leaky_relu and keras.activations.leaky_relu both default to 0.2.
_LEAKY_DEFAULT = 0.2


def activation_name(value: Any) -> str:
    """Return the lower-case name of a serialized activation; "linear" for none."""
    if value is None:
        return "linear"
    if isinstance(value, Mapping):
        config = value.get("config")
        if value.get("class_name") == "function" and isinstance(config, str):
            return config.lower()
        inner = config.get("activation") if isinstance(config, Mapping) else None
        # vai_q wraps the function; QuantizeAwareActivation(NoQuantizeActivation) stands for none.
        if inner is not None:
            return activation_name(inner)
        class_name = str(value.get("class_name", "unknown"))
        return "linear" if class_name.endswith("NoQuantizeActivation") else class_name
    return str(value).lower()


def add_activation(builder: GraphBuilder, spec: LayerSpec, source: str, name: str, activation: Any) -> str:
    """Append the activation of a layer after node ``source`` and return the last node.

    A linear activation appends nothing.
    """
    kind = activation_name(activation)
    if kind == "linear":
        return source
    if kind == "leaky_relu":
        return builder.add(Op.LEAKY_RELU, [source], name=name, layer=spec.name, attrs={"alpha": _LEAKY_DEFAULT})
    if kind == "hard_tanh":
        return Composer(builder, name, spec.name).clip(source, -1.0, 1.0)
    if kind == "hard_sigmoid" and spec.generation == 2:
        # Keras 2: clip(0.2 x + 0.5, 0, 1), which is relu6(z + 3) / 6 of z = 1.2 x.
        source = Composer(builder, f"{name}_scaled", spec.name).affine(source, 1.2, 0.0)
    if kind in _PLAIN:
        return builder.add(_PLAIN[kind], [source], name=name, layer=spec.name)
    if isinstance(activation, Mapping) and isinstance(activation.get("config"), Mapping):
        handler = ACTIVATION_LAYERS.get(str(activation.get("class_name")))
        if handler is not None:
            kept = activation["config"]
            inner = LayerSpec(name, str(activation["class_name"]), kept, generation=spec.generation)
            return handler(builder, inner, [source])
    reason = f"its activation '{kind}' runs neither on the DPU nor here; use relu, relu6, leaky_relu or hard_swish"
    return unsupported(
        builder, replace(spec, name=name, weights={}, output_shape=None), [source], reason, layer=spec.name
    )


def _activation(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    return add_activation(builder, spec, inputs[0], spec.name, spec.config.get("activation"))


def _relu(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    maximum = spec.config.get("max_value")
    slope = float(_scalar(spec.config.get("negative_slope"), 0.0))
    threshold = float(_scalar(spec.config.get("threshold"), 0.0))
    if threshold:
        return unsupported(builder, spec, inputs, f"ReLU with threshold={threshold}; use threshold=0")
    if maximum is None:
        op, attrs = (Op.LEAKY_RELU, {"alpha": slope}) if slope else (Op.RELU, {})
        return builder.add(op, inputs, name=spec.name, attrs=attrs)
    highest = float(_scalar(maximum, 0.0))
    if slope or highest <= 0:
        reason = f"ReLU with max_value={highest:g} and negative_slope={slope:g}; use one of them, max_value above 0"
        return unsupported(builder, spec, inputs, reason)
    return Composer(builder, spec.name, spec.name).clip(inputs[0], 0.0, highest)


def _leaky_relu(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    slope = spec.config.get("negative_slope", spec.config.get("alpha"))
    return builder.add(Op.LEAKY_RELU, inputs, name=spec.name, attrs={"alpha": float(_scalar(slope, 0.3))})


def _softmax(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    axis = spec.config.get("axis", -1)
    axes = [axis] if isinstance(axis, int) else list(axis)
    rank = len(builder.shape(inputs[0])) + 1
    if [value % rank for value in axes] != [rank - 1]:
        return unsupported(builder, spec, inputs, f"softmax over axis {axis}; use the last axis")
    return builder.add(Op.SOFTMAX, inputs, name=spec.name)


def _plain(op: Op) -> Handler:
    def handler(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
        return builder.add(op, inputs, name=spec.name)

    return handler


def _prelu(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    alpha, shape = spec.kernel("alpha"), builder.shape(inputs[0])
    if alpha.size not in (1, shape[-1]) or alpha.shape[-1] != alpha.size:
        reason = f"PReLU with one slope per pixel {tuple(alpha.shape)}; use PReLU(shared_axes=[1, 2])"
        return unsupported(builder, spec, inputs, reason)
    return Composer(builder, spec.name, spec.name).prelu(inputs[0], alpha.reshape(-1))


def _elu(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    alpha = float(_scalar(spec.config.get("alpha"), 1.0))
    return builder.add(Op.ELU, inputs, name=spec.name, attrs={"alpha": alpha})


def _gelu(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    return builder.add(Op.GELU, inputs, name=spec.name, attrs={"approximate": bool(spec.config.get("approximate"))})


def _clip(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    low, high = (None if spec.config.get(key) is None else float(spec.config[key]) for key in ("x_min", "x_max"))
    if low is not None and high is not None and not low < high:
        return unsupported(builder, spec, inputs, f"a clip to {low:g} .. {high:g}; the first limit must be lower")
    return Composer(builder, spec.name, spec.name).clip(inputs[0], low, high)


def _scalar(value: Any, default: float) -> float:
    # Legacy files store numpy scalars as {"class_name": "__numpy__", "value": x} or as [x].
    if value is None:
        return default
    if isinstance(value, Mapping):
        value = value.get("value", default)
    while isinstance(value, (list, tuple)):
        value = value[0]
    return float(value)


ACTIVATION_LAYERS: dict[str, Handler] = {
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "PReLU": _prelu,
    "ELU": _elu,
    "Softmax": _softmax,
    # keras.ops functions
    "Relu": _plain(Op.RELU),
    "Relu6": _plain(Op.RELU6),
    "LeakyRelu": _leaky_relu,
    "Sigmoid": _plain(Op.SIGMOID),
    "HardSigmoid": _plain(Op.HARD_SIGMOID),
    "Silu": _plain(Op.SWISH),
    "HardSilu": _plain(Op.HARD_SWISH),
    "Tanh": _plain(Op.TANH),
    "Elu": _elu,
    "Selu": _plain(Op.SELU),
    "Gelu": _gelu,
    "Clip": _clip,
    # vai_q's DPU form of the sigmoid
    "VitisSigmoid": _plain(Op.HARD_SIGMOID),
}
