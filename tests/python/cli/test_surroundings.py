"""Preprocessing and classes of the user's own: given, missing, for compiled files, from the presets for pictures."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from cli.conftest import CLASSIFICATION, SEGMENTATION, classification_model, segmentation_model
from nerone.bundle.bundle import Bundle
from nerone.deployment import deploy
from nerone.runtime.pipeline import Pipeline
from nerone.runtime.preprocessing import Channels, Preprocessing, Resize
from nerone.runtime.presets import preset

PHOTOGRAPH = np.random.default_rng(3).integers(0, 256, (40, 56, 3), np.uint8)


def test_a_compiled_file_takes_preprocessing_and_classes(run, classifier, tmp_path):
    steps, place = tmp_path / "steps.json", tmp_path / "ready.nerone"
    steps.write_text(json.dumps(CLASSIFICATION.to_dict()))
    source = classifier.host_model_path
    code, _, err = run("deploy", source, "--preprocessing", steps, "--classes", "cat,dog,cow,hen", "-o", place)
    assert code == 0, err
    made = Bundle.open(place)
    assert made.host_model_path.read_bytes() == source.read_bytes()
    assert (made.preprocessing, made.output.class_names) == (CLASSIFICATION, ("cat", "dog", "cow", "hen"))
    assert (made.output.kind, made.preset) == ("classification", "")
    with Pipeline(classifier) as before, Pipeline(made) as after:
        np.testing.assert_array_equal(after.run(PHOTOGRAPH), before.run(PHOTOGRAPH))
    # Deployed once more, what is not given is kept.
    assert run("deploy", source, "-o", place)[0] == 0
    assert Bundle.open(place).output.class_names == ("cat", "dog", "cow", "hen")
    assert run("deploy", source, "--classes", "a,b,c,d", "-o", place)[0] == 0
    again = Bundle.open(place)
    assert (again.output.class_names, again.preprocessing) == (("a", "b", "c", "d"), CLASSIFICATION)


def test_a_compiled_file_takes_a_preset_for_pictures(run, refused, bundle, classifier, tmp_path):
    place = tmp_path / "ready.nerone"
    source = classifier.host_model_path
    assert run("deploy", source, "--preset", "rgb-imagenet", "-o", place)[0] == 0
    made = Bundle.open(place)
    assert made.preprocessing == preset("rgb-imagenet").preprocessing.with_output_size(16, 16)
    assert made.output.class_names == ("class 0", "class 1", "class 2", "class 3")
    grey = ("--preset", "grey-0-1", "--classes", "air,liver,bone")
    assert run("deploy", bundle.host_model_path, *grey, "-o", place)[0] == 0
    assert Bundle.open(place).output.kind == "segmentation"
    said = refused("deploy", source, "--preset", "rgb-0-1", "--classes", "a,b,c", "-o", place)
    assert "the network has 4 classes, the bundle names 3 (a, b, c)" in said
    assert "(16, 16, 3)" in refused("deploy", source, "--preset", "grey-0-1", "-o", place)
    assert "compiled already" in refused("deploy", source, "--preset", "rgb-0-1", "--calibration", ".", "-o", place)


@pytest.mark.parametrize("name", ["rgb-0-1", "rgb-imagenet", "rgb-minus1-1"])
def test_presets_for_pictures_make_bundles_of_every_kind(name, tmp_path):
    made = deploy(classification_model(), preset=name, class_names=list("abcd"), output=tmp_path / "cells.nerone")
    assert made.preprocessing == preset(name).preprocessing.with_output_size(16, 16)
    assert (made.preset, made.output.class_names) == (name, tuple("abcd"))
    with Pipeline(made) as pipeline:
        assert 0 <= int(pipeline.run(PHOTOGRAPH)) < 4


def test_a_grey_preset_segments(run, tmp_path):
    deploy(segmentation_model(), preset="grey-0-1", output=tmp_path / "net.nerone")
    Image.fromarray(PHOTOGRAPH[:, :, 0]).save(tmp_path / "cell.png")
    code, out, err = run("run", tmp_path / "net.nerone", tmp_path / "cell.png", "-o", tmp_path / "masks")
    assert code == 0, err
    assert "class " in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "neither a preset nor a preprocessing was given; name the preset of this network (ct-org"),
        (("--preset", "rgb-imagnet"), "did you mean rgb-imagenet"),
        (("--preprocessing", "none.json"), "'none.json'"),
        (("--to", "nobody@nowhere.invalid"), "neither a preset nor a preprocessing"),
        (("--board", "zcu104", "--preset", "rgb-0-1"), "no calibration images were given"),
    ],
)
def test_what_is_missing_is_said_before_any_work(tmp_path, options, words):
    (tmp_path / "net.keras").write_bytes(b"never opened")
    program = (
        "import sys; from nerone.cli.main import main; code = main(sys.argv[1:]); "
        "print(code, sorted({'tensorflow', 'keras', 'h5py'} & sys.modules.keys()))"
    )
    command = ["deploy", "net.keras", "-o", "net.nerone", *options]
    done = subprocess.run(
        [sys.executable, "-c", program, *command], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True
    )
    assert words in done.stderr
    assert "never" not in done.stderr
    assert done.stdout.strip() == "2 []"
    assert [path.name for path in tmp_path.iterdir()] == ["net.keras"]


def test_an_own_segmentation_keeps_its_names_when_deployed_again(tmp_path):
    place = tmp_path / "net.nerone"
    deploy(segmentation_model(), preprocessing=SEGMENTATION, class_names=["air", "skin", "bone"], output=place)
    assert deploy(segmentation_model(), output=place).output.class_names == ("air", "skin", "bone")


def test_folders_of_digits_lead_to_the_classes_option(run, refused, tmp_path):
    """Class folders 0 to 3, as many sets have them, and a network whose classes were never named."""
    digits, place = tmp_path / "digits", tmp_path / "net.nerone"
    for digit in range(4):
        (digits / str(digit)).mkdir(parents=True)
        Image.fromarray(PHOTOGRAPH).save(digits / str(digit) / "a.png")
    deploy(classification_model(), preset="rgb-0-1", output=place)
    said = refused("evaluate", place, "--data", digits)
    assert "the data has class '0', which the model does not know; it knows class 0, class 1" in said
    assert "--classes" in said
    deploy(classification_model(), preset="rgb-0-1", class_names=list("0123"), output=place)
    found = json.loads(run("evaluate", place, "--data", digits, "--json")[1])
    assert list(found["scores"]["INT8"]["classes"]) == list("0123")
    assert found["frames"] == 4


def test_folders_that_name_no_class_of_the_network_are_warned_about(tmp_path):
    keras = pytest.importorskip("keras", reason="TensorFlow is not installed")
    image = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(image))
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(x))
    for digit in range(2):
        (tmp_path / "digits" / str(digit)).mkdir(parents=True)
        Image.fromarray(PHOTOGRAPH).save(tmp_path / "digits" / str(digit) / "a.png")
    with pytest.warns(UserWarning, match="are not the classes of the network") as caught:
        deploy(model, calibration=tmp_path / "digits", preset="rgb-0-1", output=tmp_path / "net.nerone")
    said = [str(one.message) for one in caught]
    assert any("are not the classes of the network" in text and "--classes" in text for text in said)


@pytest.mark.parametrize("layer", ["Rescaling", "Normalization"])
def test_images_that_are_scaled_twice_are_warned_about(tmp_path, layer):
    """The network has a layer for levels of 0 to 255, and the preset scales them to 0 to 1 before it."""
    keras = pytest.importorskip("keras", reason="TensorFlow is not installed")
    image = keras.Input((8, 8, 3))
    if layer == "Rescaling":
        scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scaling")(image)
    else:
        scaled = keras.layers.Normalization(mean=[120.0] * 3, variance=[3600.0] * 3, name="scaling")(image)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(scaled))
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(x))
    given = {"calibration": [PHOTOGRAPH], "class_names": ["cat", "dog"], "output": tmp_path / "net.nerone"}
    with pytest.warns(UserWarning, match=r"layer 'scaling'.*scaled twice; leave it to the network \(Resize alone\)"):
        deploy(model, preset="rgb-0-1", **given)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        deploy(model, preprocessing=Preprocessing((Channels(3), Resize(8, 8))), **given)
    assert not [one for one in caught if "twice" in str(one.message)]
