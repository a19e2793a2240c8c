"""Writes one network for every engine: calibration images, FP32 logits, xmodel, SavedModel, TFLite INT8, plain layers.
Standard networks (standard.py) get no plain layers.

Runs in NERONE's environment (TensorFlow). Every file ends at the logits. Nearest upsampling becomes
`tf.image.resize`: Keras's own lowers to Tile, which throws NNCF and ONNX Runtime back to FP32 behind it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))

import standard

CALIBRATION_IMAGES = 16
STANDARD_CALIBRATION_IMAGES = 2  # they have more layers


def calibration_images(shape: tuple[int, int, int], count: int) -> NDArray[np.float32]:
    """Smooth random fields in [-1, 1], (count, H, W, C): neighbouring pixels agree, as in scans."""
    rng = np.random.default_rng(7)
    height, width, channels = shape
    images = np.zeros((count, height, width, channels), np.float32)
    for cells in (4, 16, 64):
        coarse = rng.normal(size=(count, cells, cells, channels)).astype(np.float32)
        rows, columns = np.arange(height) * cells // height, np.arange(width) * cells // width
        images += coarse[:, rows][:, :, columns] / np.sqrt(3)
    return np.clip(images * 0.6, -1, 1)


def build(task: str, variant: str, images: NDArray[np.float32]) -> Any:
    """The network with random weights whose batch norms know the images' statistics."""
    import keras

    from nerone.zoo import models

    keras.utils.set_random_seed(3)
    model = models.build(task, variant=variant)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(images, training=True)
    _spread_classes(model, images)
    return model


def _spread_classes(model: Any, images: NDArray[np.float32]) -> None:
    """Give every class logits of mean 0 and deviation 1, so that comparing the chosen classes means something."""
    import keras

    head = next(layer for layer in reversed(model.layers) if isinstance(layer, keras.layers.Conv2D))
    logits = np.asarray(keras.Model(model.inputs, head.output)(images))
    mean, deviation = logits.mean((0, 1, 2)), logits.std((0, 1, 2)) + 1e-6
    kernel, bias = head.get_weights()
    head.set_weights([kernel / deviation, (bias - mean) / deviation])


def with_resizes(model: Any) -> Any:
    """The same network, its upsampling in the form that peers quantize."""
    import keras
    import tensorflow as tf

    class NearestResize(keras.layers.Layer):
        def __init__(self, size: tuple[int, int], **options: Any) -> None:
            super().__init__(**options)
            self.size = size

        def call(self, inputs: Any) -> Any:
            return tf.image.resize(inputs, self.size, "nearest")

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (input_shape[0], *self.size, input_shape[-1])

    def replace(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.UpSampling2D):
            return layer
        return NearestResize(tuple(layer.output.shape[1:3]), name=layer.name)

    return keras.models.clone_model(model, clone_function=replace)


def up_to_logits(model: Any) -> Any:
    """The network without its softmax."""
    import keras

    return keras.Model(model.inputs, model.layers[-1].input)


def write_tflite(saved_model: Path, images: NDArray[np.float32], target: Path) -> None:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    target.write_bytes(converter.convert())


def write_layers(graph: Any, folder: Path) -> None:
    """The graph as plain values, for the ONNX writer in the peers' environment."""
    from nerone.quantization.ptq.folding import fold

    graph = fold(graph)
    weights = {f"{node.name}/{key}": value for node in graph for key, value in node.weights.items()}
    np.savez(folder / "layers.npz", **weights)
    nodes = [
        {"name": n.name, "op": n.op.value, "inputs": n.inputs, "shape": n.shape, "attrs": dict(n.attrs)} for n in graph
    ]
    (folder / "layers.json").write_text(json.dumps({"nodes": nodes, "outputs": graph.outputs}))


def write_xmodel(model: Any, images: NDArray[np.float32], target: Path, options: Any = None) -> None:
    from nerone.compilation import compile
    from nerone.quantization import quantize

    compile(quantize(model, images, options=options), board="host", output=target)


def write_for_peers(model: Any, images: NDArray[np.float32], folder: Path, *, tflite: bool) -> None:
    """The SavedModel, perhaps TFLite INT8, the images and the first output's FP32 values."""
    import tensorflow as tf

    signature = [tf.TensorSpec((1, *images.shape[1:]), tf.float32)]
    model.export(folder / "saved_model", verbose=False, input_signature=signature)
    if tflite:
        write_tflite(folder / "saved_model", images, folder / "model.tflite")
    np.save(folder / "images.npy", images)
    outputs = [model(image[None]) for image in images]
    first = [np.asarray(found[0] if isinstance(found, (list, tuple)) else found) for found in outputs]
    np.save(folder / "reference.npy", np.concatenate(first))


def export_standard(name: str, folder: Path, *, tflite: bool) -> None:
    """Quantized without the parts of PTQ that refine values: they take most of the time and do not change speed."""
    from nerone.quantization import QuantizeOptions

    images = calibration_images(standard.NETWORKS[name].shape, STANDARD_CALIBRATION_IMAGES)
    model = standard.build(name, images)
    options = QuantizeOptions(compensate_kernels=False, correct_biases=False, compare_images=0)
    write_xmodel(model, images, folder / "model.xmodel", options)
    write_for_peers(with_resizes(model), images, folder, tflite=tflite)


def export(name: str, folder: Path, *, tflite: bool) -> None:
    """Write everything into the folder; a finished one is kept."""
    wanted = ["reference.npy", *(["model.tflite"] if tflite else [])]
    if all((folder / file).exists() for file in wanted):
        return
    folder.mkdir(parents=True, exist_ok=True)
    if name in standard.NETWORKS:
        export_standard(name, folder, tflite=tflite)
        return
    from nerone.graph import from_keras
    from nerone.zoo import models

    task, _, variant = name.rpartition("-")
    images = calibration_images(tuple(models.build(task, variant=variant).input_shape[1:]), CALIBRATION_IMAGES)
    model = build(task, variant, images)
    write_xmodel(model, images, folder / "model.xmodel")
    write_layers(from_keras(model), folder)
    write_for_peers(with_resizes(up_to_logits(model)), images, folder, tflite=tflite)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", help="task-variant, such as ct-org-published, or a standard network")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--without-tflite", action="store_true", help="its conversion takes long")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in options.models:
        export(name, options.folder / name, tflite=not options.without_tflite)


if __name__ == "__main__":
    main()
