"""The list of layers that can become nodes, and the sentences for those that cannot."""

from __future__ import annotations

from collections.abc import Sequence

from nerone.graph.builder import GraphBuilder
from nerone.graph.layer_spec import Handler, LayerSpec, unsupported
from nerone.graph.layers_activation import ACTIVATION_LAYERS
from nerone.graph.layers_merge import MERGE_LAYERS
from nerone.graph.layers_shape import SHAPE_LAYERS
from nerone.graph.layers_weighted import WEIGHTED_LAYERS

__all__ = ["LAYERS", "add_layer"]

LAYERS: dict[str, Handler] = {**ACTIVATION_LAYERS, **SHAPE_LAYERS, **MERGE_LAYERS, **WEIGHTED_LAYERS}

_REMEDIES = {
    "Lambda": "a Lambda holds Python code; replace it with Keras layers, or do it in the preprocessing",
    "Argmax": "end the model before it; pipelines take the class with the largest score themselves",
    "MultiHeadAttention": "the DPU has no product of two computed matrices; use convolutions, or gate by Multiply",
    "Attention": "the DPU has no product of two computed matrices; use convolutions, or gate by Multiply",
    "LayerNormalization": "the DPU needs fixed statistics; use BatchNormalization",
    "GroupNormalization": "the DPU needs fixed statistics; use BatchNormalization",
    **dict.fromkeys(
        ("Conv1D", "Conv3D", "Conv3DTranspose", "MaxPooling1D", "MaxPooling3D", "UpSampling3D"),
        "only two-dimensional images (height, width, channels) are supported; work slice by slice with the 2D layer",
    ),
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "ConvLSTM2D"), "the DPU has no recurrent layers; use convolutions"),
}


def add_layer(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    """Append the nodes of one layer call and return the node that carries its output.

    A layer without a counterpart becomes an ``UNSUPPORTED`` node that names its class and the remedy.
    """
    handler = LAYERS.get(spec.class_name)
    if handler is None:
        if spec.class_name == "TFOpLambda":
            function = spec.config.get("function")
            reason = f"the TensorFlow function '{function}'; replace it with the Keras layer of the same meaning"
            return unsupported(builder, spec, inputs, reason)
        default = f"{spec.class_name} has no counterpart on the DPU; replace it with standard Keras layers"
        return unsupported(builder, spec, inputs, _REMEDIES.get(spec.class_name, default))
    return handler(builder, spec, inputs)
