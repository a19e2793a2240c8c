"""Keras 2 files mean what Keras 2 computes: every layer and activation that is taken, against tf_keras."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import keras_cases

from nerone.errors import ModelError
from nerone.graph import Op, load
from nerone.graph.layer_table import LAYERS
from nerone.quantization.executor import Executor

keras_2 = pytest.importorskip("tf_keras", reason="Keras 2 (tf_keras) is not installed")
import tensorflow as tf  # noqa: E402

layers = keras_2.layers
SHAPE = (13, 17, 6)
TOLERANCE = 1e-4

ACTIVATIONS = ("relu", "relu6", "leaky_relu", "sigmoid", "hard_sigmoid", "swish", "silu", "tanh", "softmax", "linear")
ACTIVATIONS += ("elu", "selu", "gelu")


def windows(make):
    return lambda x: [
        make(k, strides=s, padding=p)(x) for k in (1, 2, 3, 4) for s in (1, 2, 3) for p in ("same", "valid")
    ]


def adapted():
    norm = layers.Normalization()
    norm.adapt(np.random.default_rng(3).normal(2, 3, (4, *SHAPE)).astype(np.float32))
    return norm


OUTPUT_PADDINGS = ((3, 2, 0, "same"), (3, 2, 1, "same"), (4, 3, 2, "same"), (3, 2, 1, "valid"), (2, 3, 2, "valid"))
CASES = {
    **{f"activation {name}": lambda x, name=name: layers.Activation(name)(x) for name in ACTIVATIONS},
    **{f"conv {name}": lambda x, name=name: layers.Conv2D(5, 3, activation=name)(x) for name in ACTIVATIONS},
    **{f"dense {name}": lambda x, name=name: layers.Dense(5, activation=name)(x) for name in ACTIVATIONS},
    "Conv2D": windows(lambda k, **settings: layers.Conv2D(4, k, **settings)),
    "DepthwiseConv2D": windows(lambda k, **settings: layers.DepthwiseConv2D(k, depth_multiplier=2, **settings)),
    "Conv2DTranspose": windows(lambda k, **settings: layers.Conv2DTranspose(4, k, **settings)),
    "output padding": lambda x: [
        layers.Conv2DTranspose(4, k, strides=s, padding=p, output_padding=o)(x)
        for k, s, o, p in (
            (3, 2, 0, "same"),
            (3, 2, 1, "same"),
            (4, 3, 2, "same"),
            (3, 2, 1, "valid"),
            (2, 3, 2, "valid"),
        )
    ],
    "MaxPooling2D": windows(layers.MaxPooling2D),
    "AveragePooling2D": windows(layers.AveragePooling2D),
    "grouped": lambda x: layers.Conv2D(4, 3, groups=2, padding="same")(x),
    "dilated": lambda x: layers.Conv2D(4, 3, dilation_rate=2, padding="same")(x),
    "SeparableConv2D": lambda x: layers.SeparableConv2D(5, 3, depth_multiplier=2, padding="same")(x),
    "ReLU": lambda x: [
        layers.ReLU()(x),
        layers.ReLU(6)(x),
        layers.ReLU(0.7)(x),
        layers.ReLU(negative_slope=0.2)(x),
    ],
    "LeakyReLU": lambda x: [layers.LeakyReLU()(x), layers.LeakyReLU(alpha=0.1)(x)],
    "ELU": lambda x: [layers.ELU()(x), layers.ELU(alpha=0.4)(x)],
    "PReLU": lambda x: [layers.PReLU(shared_axes=[1, 2])(x), layers.PReLU(shared_axes=[1, 2, 3])(x)],
    "Softmax": lambda x: layers.Softmax()(x),
    "BatchNormalization": lambda x: [
        layers.BatchNormalization()(x),
        layers.BatchNormalization(scale=False, epsilon=0.1)(x),
    ],
    "Normalization": lambda x: [
        layers.Normalization(mean=[1.0, 2, 3, 4, 5, 6], variance=[1.0, 2, 3, 4, 5, 6])(x),
        adapted()(x),
    ],
    "Rescaling": lambda x: layers.Rescaling(1 / 127.0, offset=-1)(x),
    "Resizing": lambda x: [layers.Resizing(26, 34)(x), layers.Resizing(26, 34, interpolation="nearest")(x)],
    "UpSampling2D": lambda x: [
        layers.UpSampling2D((2, 3))(x),
        layers.UpSampling2D((2, 3), interpolation="bilinear")(x),
    ],
    "GlobalAveragePooling2D": lambda x: [
        layers.GlobalAveragePooling2D()(x),
        layers.GlobalAveragePooling2D(keepdims=True)(x),
    ],
    "GlobalMaxPooling2D": lambda x: layers.GlobalMaxPooling2D()(x),
    "ZeroPadding2D": lambda x: layers.ZeroPadding2D(((1, 2), (3, 0)))(x),
    "Cropping2D": lambda x: layers.Cropping2D(((1, 2), (3, 0)))(x),
    "Flatten": lambda x: layers.Flatten()(x),
    "Reshape": lambda x: layers.Reshape((17, -1, 3))(x),
    "Permute": lambda x: layers.Permute((2, 3, 1))(x),
    "Dropout": lambda x: layers.GaussianNoise(0.1)(layers.SpatialDropout2D(0.1)(layers.Dropout(0.2)(x))),
    "GaussianDropout": lambda x: layers.GaussianDropout(0.1)(layers.AlphaDropout(0.1)(x)),
    "ActivityRegularization": lambda x: layers.ActivityRegularization(0.1)(x),
    "Random": lambda x: layers.RandomFlip()(
        layers.RandomRotation(0.1)(layers.RandomZoom(0.1)(layers.RandomContrast(0.1)(x)))
    ),
    "RandomTranslation": lambda x: layers.RandomTranslation(0.1, 0.1)(
        layers.RandomContrast(0.1)(layers.RandomBrightness(0.1)(x))
    ),
    "merging": lambda x: [
        kind()([x, layers.Conv2D(6, 1)(x)])
        for kind in (layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum)
    ],
    "Concatenate": lambda x: [layers.Concatenate()([x, x]), layers.Concatenate(axis=1)([x, x])],
    "gate of a vector": lambda x: layers.Multiply()([layers.Dense(6)(layers.GlobalMaxPooling2D()(x)), x]),
}

FUNCTIONS = {
    "add": lambda x, y: [x + y, x + 1.0, tf.add(y, x)],
    "sub": lambda x, y: [x - y, x - 1.0, 1.0 - x, tf.subtract(x, y)],
    "mul": lambda x, y: [x * y, x * 0.5, 2.0 * x],
    "truediv": lambda x, y: [x / 2.0, tf.divide(x, 4.0)],
    "hard swish by hand": lambda x, y: x * layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0),
    "concat": lambda x, y: [tf.concat([x, y], -1), tf.concat([y, x], axis=1)],
    "relu6": lambda x, y: [tf.nn.relu6(x), tf.nn.relu(x), tf.nn.leaky_relu(x), tf.nn.leaky_relu(x, 0.1), tf.nn.elu(x)],
    "curves": lambda x, y: [tf.sigmoid(x), tf.tanh(x), tf.nn.silu(x), tf.nn.gelu(x), tf.nn.selu(x), tf.nn.softmax(x)],
    "reduce_mean": lambda x, y: [
        tf.reduce_mean(x, [1, 2]),
        tf.reduce_mean(x, [1, 2], keepdims=True),
        tf.reduce_mean(x, -1, keepdims=True),
        tf.reduce_mean(x, axis=(-3, -2)),
    ],
    "reduce_max": lambda x, y: [tf.reduce_max(x, axis=-1, keepdims=True), tf.reduce_max(x, axis=[1, 2])],
    "getitem": lambda x, y: [x[..., :1], x[:, 1:-2, 3::2], x[:, :, :, 2:5], x[:, :4]],
    "clip": lambda x, y: [tf.clip_by_value(x, -0.5, 0.7), tf.maximum(x, 0.1), tf.minimum(x, 0.3), tf.maximum(x, y)],
    "shapes": lambda x, y: [tf.transpose(x, (0, 2, 1, 3)), tf.reshape(x, (-1, 17, 13, 6)), tf.reshape(x, (-1, 1326))],
    "resize": lambda x, y: [tf.image.resize(x, (26, 34)), tf.image.resize(x, (26, 34), method="nearest")],
    "pad": lambda x, y: tf.pad(x, [[0, 0], [1, 2], [3, 0], [0, 0]]),
    "square": lambda x, y: [tf.square(x), tf.negative(x), tf.identity(x), tf.cast(x, tf.float32)],
}


def randomized(model, seed=1):
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if "moving_variance" in variable.name:
            variable.assign(rng.uniform(0.5, 2.0, variable.shape))
        elif variable.dtype.is_floating and variable.name.split(":")[0] not in ("mean", "variance"):
            variable.assign(variable.numpy() + rng.normal(0.0, 0.1, variable.shape))
    return model


def side_by_side(cases, path, *inputs):
    """Save one model with the outputs of all cases, which is faster than to read each; return the cases that differ."""
    found = {name: make(*inputs) for name, make in cases.items()}
    found = {name: one if isinstance(one, list) else [one] for name, one in found.items()}
    outputs = [output for one in found.values() for output in one]
    model = randomized(keras_2.Model(inputs[-1], outputs))
    model.save(path)
    owners = [name for name, one in found.items() for _ in one]
    return {name for name, same in zip(owners, compared(model, path), strict=True) if not same}


def compared(model, path):
    """Return of each output whether the file gives what the model gives."""
    images = np.random.default_rng(0).normal(0, 1.5, (2, *model.inputs[0].shape[1:])).astype(np.float32)
    expected = model(images, training=False)
    expected = expected if isinstance(expected, (list, tuple)) else [expected]
    graph = load(path)
    assert not [node.attrs["reason"] for node in graph if node.op is Op.UNSUPPORTED]
    return [
        got.shape == tuple(want.shape)
        and bool(np.abs(got - want.numpy()).max() <= TOLERANCE * max(1.0, float(np.abs(want).max())))
        for want, got in zip(expected, Executor(graph)(images), strict=True)
    ]


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_layers(suffix, tmp_path):
    assert side_by_side(CASES, tmp_path / f"model{suffix}", layers.Input(SHAPE)) == set()


def test_tensorflow_functions(tmp_path):
    source = layers.Input(SHAPE)
    x = layers.Conv2D(6, 1, name="a/b")(source)
    assert side_by_side(FUNCTIONS, tmp_path / "model.h5", x, source) == set()


def test_a_function_without_a_counterpart_is_named_and_not_the_layer_behind_it(tmp_path):
    source = layers.Input((8, 8, 4))
    x = tf.nn.depth_to_space(layers.Conv2D(4, 1)(source), 2)
    keras_2.Model(source, layers.Conv2D(2, 1, name="behind")(x)).save(tmp_path / "model.h5")
    with pytest.raises(ModelError, match=r"^layer 'tf\.nn\.depth_to_space'.*'nn\.depth_to_space'"):
        load(tmp_path / "model.h5")


def test_every_layer_of_keras_2_is_compared():
    """The table's names that Keras 2 has, without those of keras.ops and of vai_q."""
    ours = {name for name in LAYERS if hasattr(layers, name) and isinstance(getattr(layers, name), type)}
    words = Path(__file__).read_text("utf-8")
    missing = {name for name in ours if f"layers.{name}" not in words}
    aliases = {"MaxPool2D", "AvgPool2D", "SpatialDropout1D", "SyncBatchNormalization"}
    assert missing - aliases <= {"Identity"}


def test_slashes_in_names_of_layers(tmp_path):
    source = layers.Input((8, 8, 3), name="x")
    inner = keras_2.Sequential(
        [layers.Input((8, 8, 4)), layers.Conv2D(4, 1, name="b/c"), layers.Conv2D(4, 1, name="c")]
    )
    x = inner(layers.Conv2D(4, 3, padding="same", name="conv1/conv")(source))
    x = layers.BatchNormalization(name="conv1/bn")(layers.Conv2D(4, 1, name="conv1")(x))
    model = randomized(keras_2.Model(source, x))
    model.save(tmp_path / "model.h5")
    assert all(compared(model, tmp_path / "model.h5"))


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_shared_and_nested_models(suffix, tmp_path):
    source, inside = layers.Input((8, 8, 3)), layers.Input((8, 8, 3))
    conv = layers.Conv2D(3, 3, padding="same")
    x = layers.Conv2D(3, 3, padding="same")(layers.BatchNormalization()(inside))
    inner = keras_2.Model(inside, x, name="block")
    model = randomized(keras_2.Model(source, conv(inner(layers.Add()([inner(source), conv(source)])))))
    model.save(tmp_path / f"model{suffix}")
    assert all(compared(model, tmp_path / f"model{suffix}"))


def test_a_missing_array_is_named(tmp_path):
    source = layers.Input((8, 8, 3))
    path = tmp_path / "model.h5"
    keras_2.Model(source, layers.Conv2D(3, 3, name="a/b")(source)).save(path)
    with h5py.File(path, "r+") as file:
        del file["model_weights/a/b/a/b/kernel:0"]
    with pytest.raises(ModelError, match=r"no array 'a/b/a/b/kernel:0' of layer 'a/b'"):
        load(path)


def test_the_project_writes_what_keras_2_reads_with_the_activations_of_keras_2(tmp_path):
    """A hard sigmoid of Keras 3 is never written under a name that Keras 2 gives another meaning."""
    from nerone.graph import from_keras
    from nerone.graph.keras2_h5 import write_keras2_h5

    graph = from_keras(keras_cases.single(lambda x: keras.layers.Activation("hard_sigmoid")(x)))
    with pytest.raises(ModelError, match="hard sigmoid"):
        write_keras2_h5(graph, tmp_path / "model.h5")
