"""From a trained Keras model and a folder of images to a bundle that agrees with the model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from nerone.deployment import Bundle, deploy
from nerone.deployment.calibration_images import calibration_images
from nerone.errors import ConfigurationError, ModelError, ShapeError
from nerone.quantization import QuantizeOptions
from nerone.runtime.prediction.inference import Inference
from nerone.runtime.preprocessing import Channels, Preprocessing, Resize, ScaleOffset
from nerone.runtime.preprocessing.numpy_steps import apply

STEPS = Preprocessing((Channels(1), Resize(16, 24), ScaleOffset((1 / 255,))))
NAMES = ("background", "bright", "edge")


@pytest.fixture(scope="module")
def keras_model():
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(3)
    layers = keras.layers
    inputs = keras.Input((16, 24, 1))
    x = layers.Conv2D(6, 3, padding="same", use_bias=False)(inputs)
    x = skip = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(6, 3, strides=2, padding="same")(layers.Dropout(0.1)(x))
    x = layers.Concatenate()([x, skip])
    return keras.Model(inputs, layers.Conv2D(3, 1, activation="softmax")(x))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(0)
    place = tmp_path_factory.mktemp("images")
    for number in range(60):
        waves = np.sin(np.arange(20)[:, None] * rng.uniform(0.1, 1)) + np.cos(np.arange(30) * rng.uniform(0.1, 1))
        Image.fromarray(np.clip(127 + 60 * waves + rng.normal(0, 8, (20, 30)), 0, 255).astype(np.uint8)).save(
            place / f"{number:02d}.png"
        )
    return place


def made(model, folder, target, **options):
    return deploy(model, calibration=folder, preprocessing=STEPS, class_names=NAMES, output=target, **options)


def test_the_bundle_agrees_with_the_trained_model(keras_model, folder, tmp_path):
    said = []
    path = tmp_path / "net.keras"
    keras_model.save(path)
    bundle = made(path, folder, tmp_path / "net", images=50, progress=lambda *state: said.append(state))
    assert bundle == Bundle.open(tmp_path / "net.nerone")
    assert ("calibration images", 50, 50) in said
    inference = Inference(bundle)
    equal, errors = [], []
    for file in sorted(folder.iterdir()):
        image = np.asarray(Image.open(file))
        expected = keras_model.predict_on_batch(apply(STEPS, image)[np.newaxis])[0]
        got = inference.run(image)
        equal.append(np.mean(got.classes == expected.argmax(-1)))
        errors.append(np.abs(got.scores - expected).max())
    assert np.mean(equal) > 0.97
    assert np.mean(errors) < 0.1
    report = bundle.report()
    assert report["quantization"]["method"] == "ptq"
    assert {row["device"] for row in report["compilation"]["layers"]} == {"USER", "DPU", "CPU"}


def test_preprocessing_from_a_file_and_from_a_bundle(keras_model, folder, tmp_path):
    file = tmp_path / "steps.json"
    file.write_text(json.dumps(STEPS.to_dict()))
    settings = {"calibration": folder, "class_names": NAMES, "images": 4, "options": QuantizeOptions(compare_images=0)}
    first = deploy(keras_model, preprocessing=file, output=tmp_path / "a.nerone", **settings)
    second = deploy(keras_model, preprocessing=first.path, output=tmp_path / "b.nerone", **settings)
    assert first.preprocessing == second.preprocessing == STEPS
    file.write_text('{"version": 1, "steps": [{"step": "rezise"}]}')
    for given, words in (
        (file, r"steps.json': preprocessing.steps\[0\]"),
        (tmp_path / "no.json", "is missing; give JSON"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            deploy(keras_model, preprocessing=given, output=tmp_path / "c.nerone", **settings)
    with pytest.raises(ConfigurationError, match=r"ct-org, .* or give the steps"):
        deploy(keras_model, output=tmp_path / "c.nerone", **settings)
    assert not (tmp_path / "c.nerone").exists()


def test_two_images_work_with_a_warning(keras_model, folder, tmp_path):
    with pytest.warns(UserWarning, match="only 2 calibration images"):
        made(keras_model, folder, tmp_path / "net", images=2)
    assert Bundle.open(tmp_path / "net.nerone").name == "net"


def test_a_board_bundle_without_the_compiler_says_so(keras_model, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.warns(UserWarning, match="NERONE's own made the board's model: .* not yet on silicon"):
        bundle = made(keras_model, folder, tmp_path / "net", board="kv260")
    assert bundle.fingerprint == 0x101000016010407
    assert bundle.board_model_path.is_file()


def test_a_board_bundle_that_no_compiler_here_can_make_says_so(folder, tmp_path, monkeypatch):
    keras = pytest.importorskip("keras")
    inputs = keras.Input((16, 24, 1))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    x = keras.layers.UpSampling2D(2, interpolation="bilinear")(x)
    model = keras.Model(inputs, keras.layers.Conv2D(3, 1, strides=2, activation="softmax")(x))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.warns(UserWarning, match=r"runs on the software DPU only: op .* bilinear upsampling"):
        bundle = made(model, folder, tmp_path / "net", board="kv260")
    assert bundle.fingerprint == 0x101000016010407
    assert bundle.board_model_path is None


def nothing_left(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir())


def test_nan_weights(keras_model, folder, tmp_path):
    import keras

    broken = keras.models.clone_model(keras_model)
    broken.set_weights([np.full_like(values, np.nan) for values in keras_model.get_weights()])
    with pytest.raises(ModelError, match="NaN"):
        made(broken, folder, tmp_path / "net")
    assert nothing_left(tmp_path) == []


def test_a_layer_that_cannot_be_lowered(folder, tmp_path):
    keras = pytest.importorskip("keras")
    inputs = keras.Input((16, 24, 1))
    x = keras.layers.Lambda(lambda values: values * 2, name="twice")(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same")(x))
    with pytest.raises(ModelError, match="twice"):
        made(model, folder, tmp_path / "net")
    assert nothing_left(tmp_path) == []


def test_what_is_refused_before_the_long_work(keras_model, folder, tmp_path):
    target = tmp_path / "net"
    with pytest.raises(ConfigurationError, match="no calibration images"):
        deploy(keras_model, preprocessing=STEPS, class_names=NAMES, output=target)
    with pytest.raises(ConfigurationError, match="neither a preset nor"):
        deploy(keras_model, calibration=folder, output=target)
    with pytest.raises(ConfigurationError, match="3 classes"):
        deploy(keras_model, calibration=folder, preset="ct-org", output=target)
    with pytest.raises(ConfigurationError, match="does not exist"):
        deploy(keras_model, calibration=folder / "no", preset="ct-org", output=target)
    with pytest.raises(ConfigurationError, match="the network expects"):
        deploy(
            keras_model,
            calibration=folder,
            preprocessing=Preprocessing((Channels(1), Resize(8, 8))),
            class_names=NAMES,
            output=target,
        )
    assert nothing_left(tmp_path) == []


def test_calibration_sources(folder):
    arrays = np.random.default_rng(1).integers(0, 255, (10, 20, 30), np.uint8)
    found = list(calibration_images(arrays, STEPS, images=4))
    assert [image.shape for image in found] == [(16, 24, 1)] * 4
    first, second = ([image.sum() for image in calibration_images(folder, STEPS, images=5, seed=s)] for s in (0, 0))
    assert first == second
    assert len(list(calibration_images(iter(list(arrays)), STEPS))) == 10
    with pytest.raises(ShapeError, match="expected"):
        list(calibration_images(np.zeros((3, 3)), STEPS))
    with pytest.raises(ConfigurationError, match="at least 1"):
        list(calibration_images(folder, STEPS, images=0))
    with pytest.raises(ConfigurationError, match="is a int"):
        list(calibration_images(7, STEPS))
