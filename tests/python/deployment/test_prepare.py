"""`nerone compile` and `nerone deploy` make one and the same network of a model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from nerone import _core
from nerone.bundle import Bundle
from nerone.cli.main import main
from nerone.deployment.prepare import prepare
from nerone.deployment.request import Quantization, Request, Surroundings
from nerone.errors import ConfigurationError
from nerone.runtime.preprocessing import Channels, Preprocessing, Resize, ScaleOffset

STEPS = Preprocessing((Channels(1), Resize(32, 32), ScaleOffset((1 / 255,))))


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("scans"), np.random.default_rng(0)
    for number in range(6):
        Image.fromarray(rng.integers(0, 255, (32, 32), np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    keras = pytest.importorskip("keras", reason="TensorFlow is not installed")
    layers, folder = keras.layers, tmp_path_factory.mktemp("networks")

    def save(name, size, padding, end):
        image = keras.Input((size, size, 1))
        wide = layers.Conv2D(8, 3, padding=padding, activation="relu")(image)
        keras.Model(image, end(layers)(wide)).save(folder / f"{name}.keras")

    save("one sigmoid", 32, "same", lambda kinds: kinds.Conv2D(1, 1, activation="sigmoid"))
    save("open size", None, "same", lambda kinds: kinds.Conv2D(2, 1, activation="softmax"))
    save("no padding", 32, "valid", lambda kinds: kinds.Conv2D(2, 1, activation="softmax"))
    return folder


def plain(path):
    return [(op["name"], op["type"], op["output"], op["attrs"]) for op in _core.read_xmodel(str(path))["ops"]]


@pytest.mark.parametrize("name", ["one sigmoid", "open size", "no padding"])
@pytest.mark.parametrize("given", ["preset", "preprocessing"])
def test_one_network(networks, scans, tmp_path, name, given):
    steps = tmp_path / "steps.json"
    steps.write_text(json.dumps(STEPS.to_dict()))
    words = [str(networks / f"{name}.keras"), "--calibration", str(scans), "--classes", "background,lesion"]
    words += ["--preset", "ct-org"] if given == "preset" else ["--preprocessing", str(steps)]
    words += ["--input-shape", "32,32,1"] if name == "open size" else []
    assert main(["deploy", *words, "-o", str(tmp_path / "net.nerone")]) == 0
    assert main(["compile", *words, "-o", str(tmp_path / "net.xmodel")]) == 0
    bundle = Bundle.open(tmp_path / "net.nerone")
    assert bundle.output_tensor.shape[-1] == 2
    assert plain(tmp_path / "net.xmodel") == plain(bundle.host_model_path)
    assert (tmp_path / "net.xmodel").read_bytes() == bundle.host_model_path.read_bytes()


def test_nothing_is_read_before_what_is_missing_is_said(networks):
    with pytest.raises(ConfigurationError, match="neither a preset nor a preprocessing"):
        prepare(networks / "one sigmoid.keras", Request())
    with pytest.raises(ConfigurationError, match="did you mean ct-org"):
        prepare("no such file.keras", Request(surroundings=Surroundings(preset="ct-ogr")))


def test_a_quantized_model_needs_no_surroundings(networks, scans):
    given = Surroundings(preset="ct-org", class_names=("background", "lesion"))
    made = prepare(networks / "no padding.keras", Request(calibration=scans, surroundings=given))
    assert prepare(made.quantized, Request(), with_plan=False).plan is None
    with pytest.raises(ConfigurationError, match="neither a preset nor"):
        prepare(made.quantized, Request())
    with pytest.raises(ConfigurationError, match="no method can be chosen"):
        prepare(made.quantized, Request(quantization=Quantization(method="ffq")), with_plan=False)
