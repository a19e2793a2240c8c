"""The list of layers that can become nodes, and the sentences for those that cannot."""

from __future__ import annotations

from collections.abc import Sequence

from nerone.graph.builder import GraphBuilder
from nerone.graph.layer_spec import Handler, LayerSpec, unsupported
from nerone.graph.layers_activation import ACTIVATION_LAYERS
from nerone.graph.layers_shape import SHAPE_LAYERS
from nerone.graph.layers_weighted import WEIGHTED_LAYERS

__all__ = ["LAYERS", "add_layer"]

LAYERS: dict[str, Handler] = {**ACTIVATION_LAYERS, **SHAPE_LAYERS, **WEIGHTED_LAYERS}

_REMEDIES = {
    "Lambda": "a Lambda holds Python code; replace it with Keras layers, or do it in the preprocessing",
    "TFOpLambda": "a TensorFlow function; replace it with the Keras layer of the same meaning",
    "Cropping2D": "the DPU has no cropping; choose sizes that need none, or use padding='same'",
    "Subtract": "the DPU has no subtraction; negate the weights before it and use Add",
    "Average": "the DPU has no average of tensors; use Add and fold the factor into the next layer",
    "Maximum": "the DPU has no maximum of tensors; use Add or Multiply",
    "Minimum": "the DPU has no minimum of tensors; use Add or Multiply",
    "LayerNormalization": "the DPU needs fixed statistics; use BatchNormalization",
    "GroupNormalization": "the DPU needs fixed statistics; use BatchNormalization",
}


def add_layer(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    """Append the nodes of one layer call and return the node that carries its output.

    A layer without a counterpart becomes an ``UNSUPPORTED`` node that tells its class and the remedy.
    """
    handler = LAYERS.get(spec.class_name)
    if handler is None:
        default = f"{spec.class_name} has no counterpart on the DPU; replace it with standard Keras layers"
        return unsupported(builder, spec, inputs, _REMEDIES.get(spec.class_name, default))
    return handler(builder, spec, inputs)
