"""The networks on which quantizers are compared, as graphs up to their logits, with calibration and held-out images.

- `ct-org`, `bccd`: the weights that come with NERONE, on drawn phantoms and on the pictures of a BCCD folder
- `resnet8`, `mobilenet-small`, `unet-small`: trained here within minutes, on drawn shapes
- `TASK-VARIANT` (`brats-published`) and standard networks (`resnet50`): random weights, random fields

Runs in NERONE's environment. Everything follows from the seeds below.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import export
import numpy as np
import standard
from numpy.typing import NDArray

Images = NDArray[np.float32]
SHAPES = 6
SIDE = 32
STEPS = {"resnet8": 300, "mobilenet-small": 400, "unet-small": 250}
BATCH = 64


def drawn_shapes(count: int, seed: int) -> tuple[Images, NDArray[np.int64], NDArray[np.int64]]:
    """Return images (N, 32, 32, 3) in about -1 .. 1, their classes (N,) and masks (N, 32, 32) of class + 1."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    images = np.empty((count, SIDE, SIDE, 3), np.float32)
    kinds, masks = rng.integers(0, SHAPES, count), np.zeros((count, SIDE, SIDE), np.int64)
    for number, kind in enumerate(kinds):
        size, angle = rng.uniform(5, 9), rng.uniform(0, np.pi)
        y, x = rows - rng.uniform(10, 22), columns - rng.uniform(10, 22)
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        radius, widest = np.hypot(x, y), np.maximum(np.abs(along), np.abs(across))
        inside = (
            radius < size,
            widest < 0.85 * size,
            (across > -0.6 * size) & (np.abs(along) < 0.6 * (size - across)),
            (np.minimum(np.abs(along), np.abs(across)) < 0.3 * size) & (widest < size),
            (radius < size) & (radius > 0.55 * size),
            (widest < size) & (np.abs(across) < 0.4 * size),
        )[kind]
        ground, colour = rng.uniform(-0.8, 0.8, 3), rng.uniform(-0.8, 0.8, 3)
        slope = rng.uniform(-0.4, 0.4, (2, 3))
        image = ground + (rows[..., None] * slope[0] + columns[..., None] * slope[1]) / SIDE
        image[inside] = np.where(np.abs(colour - ground).max() < 0.4, -ground, colour)
        images[number] = image + rng.normal(0, 0.12, image.shape)
        masks[number][inside] = kind + 1
    return images, kinds, masks


def _norm_relu(x: Any, most: float | None = None) -> Any:
    from keras import layers

    return layers.ReLU(most)(layers.BatchNormalization()(x))


def _conv(x: Any, filters: int, kernel: int = 3, strides: int = 1) -> Any:
    from keras import layers

    return layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False)(x)


def resnet8() -> Any:
    """Residual network of three blocks with 16, 32 and 64 channels."""
    import keras
    from keras import layers

    image = keras.Input((SIDE, SIDE, 3))
    x = _norm_relu(_conv(image, 16))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        branch = _conv(_norm_relu(_conv(x, filters, 3, strides)), filters)
        branch = layers.BatchNormalization()(branch)
        if strides > 1:
            x = layers.BatchNormalization()(_conv(x, filters, 1, strides))
        x = layers.ReLU()(layers.Add()([x, branch]))
    return keras.Model(image, layers.Dense(SHAPES)(layers.GlobalAveragePooling2D()(x)))


def mobilenet_small() -> Any:
    """Depthwise and pointwise convolutions with ReLU6, as in MobileNet."""
    import keras
    from keras import layers

    image = keras.Input((SIDE, SIDE, 3))
    x = _norm_relu(_conv(image, 16, 3, 2), 6.0)
    for filters, strides in ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1)):
        x = _norm_relu(layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(x), 6.0)
        x = _norm_relu(_conv(x, filters, 1), 6.0)
    return keras.Model(image, layers.Dense(SHAPES)(layers.GlobalAveragePooling2D()(x)))


def unet_small() -> Any:
    """U-Net of two levels with 8, 16 and 32 filters; one class more than shapes, for the ground."""
    import keras
    from keras import layers

    image = keras.Input((SIDE, SIDE, 3))
    high = _norm_relu(_conv(image, 8))
    middle = _norm_relu(_conv(layers.MaxPooling2D()(high), 16))
    x = _norm_relu(_conv(layers.MaxPooling2D()(middle), 32))
    for skip, filters in ((middle, 16), (high, 8)):
        x = layers.Concatenate()([layers.UpSampling2D()(x), skip])
        x = _norm_relu(_conv(x, filters))
    return keras.Model(image, layers.Conv2D(SHAPES + 1, 1)(x))


TRAINED: dict[str, Callable[[], Any]] = {
    "resnet8": resnet8,
    "mobilenet-small": mobilenet_small,
    "unet-small": unet_small,
}


def train(name: str) -> Any:
    """Return the network, trained on drawn shapes."""
    import keras

    keras.utils.set_random_seed(5)
    model = TRAINED[name]()
    images, kinds, masks = drawn_shapes(4000, 1)
    truth = masks if name == "unet-small" else kinds
    steps = STEPS[name]
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    order = np.random.default_rng(2).integers(0, len(images), (steps, BATCH))
    for chosen in order:
        model.train_on_batch(images[chosen], truth[chosen])
    return model


def phantom_slices(count: int, seed: int) -> Images:
    """Return prepared slices of drawn CT phantoms, (count, 256, 256, 1)."""
    from nerone.data.phantoms import write_ct_phantoms
    from nerone.data.sources import frames
    from nerone.runtime.preprocessing.numpy_steps import apply
    from nerone.runtime.presets import preset

    steps = preset("ct-org").preprocessing.with_output_size(256, 256)
    with tempfile.TemporaryDirectory() as folder:
        write_ct_phantoms(Path(folder), count=1, slices=count, seed=seed)
        return np.stack([apply(steps, frame.image) for frame in frames(folder)])


def blood_cells(folder: Path, count: int) -> Images:
    """Return prepared pictures of a folder of class folders, (count, 200, 250, 3), spread over the classes."""
    from nerone.data.pictures import read_picture
    from nerone.runtime.preprocessing.numpy_steps import apply
    from nerone.runtime.presets import preset

    steps = preset("paper-bccd").preprocessing
    paths = sorted(folder.rglob("*.jpg"))
    chosen = np.unique(np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int))
    return np.stack([apply(steps, read_picture(paths[index])) for index in chosen])


def images_of(name: str, counts: tuple[int, int], blood: Path | None) -> tuple[Images, Images]:
    """Return calibration and held-out images; the two share none."""
    if name == "ct-org":
        return phantom_slices(counts[0], 900), phantom_slices(counts[1], 901)
    if name == "bccd":
        if blood is None:
            raise SystemExit("'bccd' needs pictures: give --blood FOLDER, with train/ and test/ in it")
        return blood_cells(blood / "train", counts[0]), blood_cells(blood / "test", counts[1])
    if name in TRAINED:
        return drawn_shapes(counts[0], 3)[0], drawn_shapes(counts[1], 4)[0]
    fields = export.calibration_images(_shape(name), sum(counts))
    return fields[: counts[0]], fields[counts[0] :]


def _shape(name: str) -> tuple[int, int, int]:
    if name in standard.NETWORKS:
        return standard.NETWORKS[name].shape
    from nerone.zoo import models

    task, _, variant = name.rpartition("-")
    height, width, channels = models.build(task, variant=variant).input_shape[1:]
    return height, width, channels


def model_of(name: str, images: Images) -> Any:
    """Return the Keras model."""
    import keras

    from nerone.zoo.shipped import SHIPPED, shipped_model

    if name in SHIPPED:
        return keras.models.load_model(shipped_model(name), compile=False)
    if name in TRAINED:
        return train(name)
    if name in standard.NETWORKS:
        return standard.build(name, images)
    task, _, variant = name.rpartition("-")
    return export.build(task, variant, images)


def up_to_logits(graph: Any) -> Any:
    """Return the graph without a softmax at its end."""
    from nerone.graph import Graph, Op

    last = graph[graph.outputs[0]]
    if last.op is not Op.SOFTMAX:
        return graph
    kept = tuple(node for node in graph if node is not last)
    return Graph(graph.name, kept, graph.inputs, last.inputs)


def write(name: str, folder: Path, counts: tuple[int, int], blood: Path | None) -> None:
    """Write graph, plain layers, images and FP32 logits into the folder; a finished one is kept."""
    from nerone.graph import from_keras
    from nerone.quantization.executor import Executor

    if (folder / "reference.npy").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    images, held = images_of(name, counts, blood)
    graph = up_to_logits(from_keras(model_of(name, images[:4])))
    (folder / "graph.pkl").write_bytes(pickle.dumps(graph))
    export.write_layers(graph, folder)
    np.save(folder / "images.npy", images)
    np.save(folder / "held.npy", held)
    np.save(folder / "reference.npy", Executor(graph)(held, 4)[0])
