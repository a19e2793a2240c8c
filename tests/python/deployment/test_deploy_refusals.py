"""Models trained elsewhere that cannot become a bundle: each is named with its layer and what to do."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from nerone.cli.main import main
from nerone.deployment import deploy
from nerone.errors import Error
from nerone.runtime.preprocessing import Channels, Preprocessing, Resize, ScaleOffset

STEPS = Preprocessing((Channels(1), Resize(16, 16), ScaleOffset((1 / 255,))))
IMAGES = np.random.default_rng(0).integers(0, 255, (4, 16, 16), np.uint8)


class Mine(layers.Layer):
    def call(self, value):
        return value * 2


def between(layer, shape=(16, 16, 1)):
    image = keras.Input(shape, name="image")
    return keras.Model(image, layers.Conv2D(3, 1, name="end")(layer(image)))


def two_inputs():
    first, second = keras.Input((16, 16, 1), name="first"), keras.Input((16, 16, 1), name="second")
    return keras.Model([first, second], layers.Conv2D(3, 1, name="end")(layers.Add()([first, second])))


def two_outputs():
    image = keras.Input((16, 16, 1), name="image")
    return keras.Model(image, [layers.Conv2D(3, 1, name="one")(image), layers.Conv2D(2, 1, name="other")(image)])


def volume():
    image = keras.Input((8, 8, 8, 1), name="image")
    return keras.Model(image, layers.Conv3D(3, 3, name="cubes")(image))


REFUSED = {
    "custom layer": (lambda: between(Mine(name="odd")), ["'odd'", "Mine", "standard Keras layers"]),
    "Lambda": (
        lambda: between(layers.Lambda(lambda value: value * 2, name="odd")),
        ["'odd'", "Lambda", "preprocessing"],
    ),
    "open size": (lambda: between(layers.ReLU(), (None, None, 1)), ["'image'", "input_shape"]),
    "two inputs": (two_inputs, ["'first', 'second'", "cut"]),
    "two outputs": (two_outputs, ["'one', 'other'", "cut"]),
    "activation": (
        lambda: between(layers.Conv2D(2, 1, activation="softplus", name="odd")),
        ["'odd' (Conv2D)", "softplus", "use relu"],
    ),
    "activation layer": (lambda: between(layers.PReLU(name="odd")), ["'odd'", "PReLU", "shared_axes"]),
    "recurrence": (
        lambda: between(
            lambda x: layers.Reshape((16, 1, 4))(
                layers.LSTM(4, name="odd", return_sequences=True)(layers.Reshape((16, 16))(x))
            )
        ),
        ["'odd'", "LSTM"],
    ),
    "volume": (volume, ["'image'", "(H, W, C)"]),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("source", ["memory", "h5"])
def test_each_is_named_with_its_layer_and_what_to_do(kind, source, tmp_path):
    build, words = REFUSED[kind]
    model = build()
    if source == "h5":
        model.save(tmp_path / "net.h5")
        model = tmp_path / "net.h5"
    with pytest.raises(Error) as caught:
        deploy(model, calibration=IMAGES, preprocessing=STEPS, class_names="abc", output=tmp_path / "net")
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)
    assert not (tmp_path / "net.nerone").exists()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_open_sizes_may_be_given(tmp_path):
    model = between(layers.ReLU(), (None, 16, 1))
    settings = {"calibration": IMAGES, "preprocessing": STEPS, "class_names": "abc", "output": tmp_path / "net"}
    assert deploy(model, input_shape=(16, 16, 1), **settings).input.shape == (1, 16, 16, 1)
    model.save(tmp_path / "net.keras")
    np.save(tmp_path / "images.npy", IMAGES)
    words = ["deploy", tmp_path / "net.keras", "--calibration", tmp_path / "images.npy", "-o", tmp_path / "net"]
    assert main([str(word) for word in [*words, "--input-shape", "16,16,1"]]) == 0
    for bad in ("16,16", "16,0,1", "a,b,c", "16,16,3"):
        assert main([str(word) for word in [*words, "--input-shape", bad]]) == 2


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_shared_layer_works(tmp_path):
    shared = layers.Conv2D(1, 3, padding="same", name="shared")
    bundle = deploy(
        between(lambda image: shared(shared(image))),
        calibration=IMAGES,
        preprocessing=STEPS,
        class_names="abc",
        output=tmp_path / "net",
    )
    assert [row["layer"] for row in bundle.report()["quantization"]["layers"]].count("shared") == 2
