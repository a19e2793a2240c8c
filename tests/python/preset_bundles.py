"""A bundle of each preset with a small network of random weights, and images for it; made without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nerone.bundle import Bundle, OutputDeclaration, TensorDeclaration
from nerone.compilation import compile as compile_model
from nerone.graph import Graph, Node, Op
from nerone.quantization.model import QuantizedModel
from nerone.runtime.presets import PRESETS, preset

LARGEST_KERNEL = 16
INPUT_POSITION, OUTPUT_POSITION = 6, 3
# The tasks; a preset that only prepares names no classes.
TASKS = [name for name, known in PRESETS.items() if known.class_names]


def _network(shape: tuple[int, int, int], classes: int, *, per_image: bool) -> QuantizedModel:
    """A 3x3 convolution to the classes; per image, strided ones down to a single pixel."""
    generator = np.random.default_rng(shape[0] + classes)
    nodes = [Node("x", Op.INPUT, (), shape)]

    def convolve(channels: int, kernel: tuple[int, int], stride: int, pad: int) -> None:
        height, width, depth = nodes[-1].shape
        size = [(extent + 2 * pad - k) // stride + 1 for extent, k in zip((height, width), kernel, strict=True)]
        spread = 1.5 / np.sqrt(kernel[0] * kernel[1] * depth)
        weights = {
            "kernel": generator.normal(0, spread, (*kernel, depth, channels)).astype(np.float32),
            "bias": generator.normal(0, 0.2, channels).astype(np.float32),
        }
        attrs = {"strides": (stride, stride), "pad": (pad,) * 4, "dilation": (1, 1)}
        name = f"conv{len(nodes)}"
        nodes.append(Node(name, Op.CONV2D, (nodes[-1].name,), (*size, channels), attrs, weights, name))

    while per_image and max(nodes[-1].shape[:2]) > LARGEST_KERNEL:
        convolve(4, (3, 3), 4, 1)
    if per_image:
        convolve(classes, (nodes[-1].shape[0], nodes[-1].shape[1]), 1, 0)
    else:
        convolve(classes, (3, 3), 1, 1)
    names = [node.name for node in nodes]
    positions = dict.fromkeys(names, OUTPUT_POSITION) | {"x": INPUT_POSITION}
    weight_positions = {name: {"kernel": 7, "bias": 7} for name in names[1:]}
    return QuantizedModel(Graph("net", tuple(nodes), ("x",), (names[-1],)), positions, weight_positions, {})


def preset_bundle(folder: Path, name: str) -> Bundle:
    """Write the bundle of a preset into a folder."""
    known = preset(name)
    channels = known.preprocessing.input_channels or 1
    shape = known.preprocessing.output_shape(300, 280, channels)
    model = _network(shape, len(known.class_names), per_image=known.output == "classification")
    compiled = compile_model(model, output=folder / f"{name}.xmodel")
    (source,), (result,) = compiled.inputs, compiled.outputs
    return Bundle.create(
        folder / name,
        xmodel=compiled.path,
        preprocessing=known.preprocessing,
        input=TensorDeclaration(source["name"], tuple(source["shape"]), source["fix_point"]),
        output_tensor=TensorDeclaration(result["name"], tuple(result["shape"]), result["fix_point"]),
        output=OutputDeclaration(known.output, known.class_names, known.colours, known.label_ids, codes=known.codes),
        preset=name,
    )


def preset_images(name: str, count: int, size: tuple[int, int] = (300, 280)) -> np.ndarray[Any, Any]:
    """Return (N, H, W) int16 of a CT or a prostate, (N, H, W, 4) int16 of a brain, (N, H, W, 3) uint8 of blood."""
    generator = np.random.default_rng(count)
    channels = preset(name).preprocessing.input_channels or 1
    coarse = generator.normal(0, 1, (count, size[0] // 20, size[1] // 20, channels))
    smooth = np.kron(coarse, np.ones((1, 20, 20, 1))) + generator.normal(0, 0.2, (count, *size, channels))
    if preset(name).output == "classification":
        return np.clip(128 + 60 * smooth, 0, 255).astype(np.uint8)
    return (100 + 500 * smooth).astype(np.int16).squeeze()
