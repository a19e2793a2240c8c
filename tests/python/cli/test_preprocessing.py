"""nerone preprocessing show and check: the steps in words, and what they make of an image."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from cli.conftest import CLASSIFICATION
from nerone.data.sources import frames
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.preprocessing.numpy_steps import apply, quantize
from nerone.runtime.presets import PRESETS


def test_show_lists_every_preset(run):
    code, out, _ = run("preprocessing", "show")
    assert code == 0
    assert all(name in out for name in PRESETS)
    listed = json.loads(run("preprocessing", "show", "--json")[1])
    assert {name: Preprocessing.from_dict(steps) for name, steps in listed.items()} == {
        name: known.preprocessing for name, known in PRESETS.items()
    }


def test_show_tells_the_steps_and_writes_a_file_that_deploy_takes(run, refused, classifier, tmp_path):
    code, out, _ = run("preprocessing", "show", "rgb-imagenet")
    assert code == 0
    assert "height 224, width 224, method bilinear" in out
    assert "0.0171248 0.017507 0.0174292" in out
    assert "RAS" in run("preprocessing", "show", "ct-org")[1]
    steps = tmp_path / "steps.json"
    steps.write_text(run("preprocessing", "show", classifier.path, "--json")[1])
    assert Preprocessing.from_dict(json.loads(steps.read_text())) == CLASSIFICATION
    assert "height 16" in run("preprocessing", "show", steps)[1]
    place = tmp_path / "again.nerone"
    assert run("deploy", classifier.host_model_path, "--preprocessing", steps, "-o", place)[0] == 0
    assert "did you mean rgb-imagenet" in refused("preprocessing", "show", "rgb-imagnet")
    assert "there is no file or bundle" in refused("preprocessing", "show", "none.json")


def test_check_shows_what_the_network_gets(run, classifier, tmp_path):
    levels = np.random.default_rng(1).integers(0, 256, (40, 56, 3), np.uint8)
    photograph, seen = tmp_path / "cell.png", tmp_path / "seen.png"
    Image.fromarray(levels).save(photograph)
    code, out, err = run("preprocessing", "check", photograph, classifier.path, "--output", seen)
    assert code == 0, err
    assert "40 x 56 x 3" in out
    assert "fix point 6, -2 to 1.98438; 0.00% of the values lie beyond" in out
    found = json.loads(run("preprocessing", "check", photograph, classifier.path, "-o", seen, "--json")[1])
    assert [stage["step"] for stage in found["stages"]] == ["image", "channels", "resize", "scale_offset"]
    assert [stage["shape"] for stage in found["stages"]] == [[40, 56, 3], [40, 56, 3], [16, 16, 3], [16, 16, 3]]
    assert found["stages"][0]["low"] == levels.min()
    assert (found["fix_point"], found["saturated"], found["notes"]) == (6, 0.0, [])
    values = quantize(apply(CLASSIFICATION, levels), 6) / 64.0
    assert found["picture"]["range"] == [values.min(), values.max()]
    low, high = found["picture"]["range"]
    expected = np.rint((values - low) * 255 / (high - low))
    np.testing.assert_array_equal(np.asarray(Image.open(seen)), expected)


def test_check_takes_the_middle_slice_or_the_one_named(run, refused, bundle, volume, tmp_path):
    def stored(*options):
        found = json.loads(run("preprocessing", "check", volume, bundle.path, *options, "--json")[1])
        return found["index"], found["stages"][0]["mean"]

    means = [float(frame.image.mean()) for frame in frames(volume)]
    assert stored() == (1, pytest.approx(means[1]))
    assert stored("--slice", 2) == (2, pytest.approx(means[2]))
    assert "3 is none of 0 to 2" in refused("preprocessing", "check", volume, bundle.path, "--slice", 3)


def test_check_with_a_preset_at_the_networks_size(run, refused, volume, tmp_path):
    picture = tmp_path / "cell.png"
    Image.fromarray(np.full((20, 30), 128, np.uint8)).save(picture)
    words = ("preprocessing", "check", picture)
    found = json.loads(run(*words, "--preset", "grey-0-1", "--input-shape", "96,128,1", "--json")[1])
    assert found["stages"][-1]["shape"] == [96, 128, 1]
    assert found["stages"][-1]["low"] == found["stages"][-1]["high"] == pytest.approx(128 / 255)
    seen = tmp_path / "seen.png"
    code, _, _ = run(*words, "--preset", "grey-0-1", "-o", seen)
    assert code == 0
    assert not np.asarray(Image.open(seen)).any(), "a constant image is black"
    assert "the step channels expects 3" in refused(*words, "--preset", "rgb-0-1")
    assert "one of them" in refused(*words)
    assert "one of them" in refused(*words, "--preset", "rgb-0-1", "--preprocessing", "steps.json")
    assert "must end in .png" in refused(*words, "--preset", "grey-0-1", "-o", tmp_path / "seen.jpg")
    assert "does not exist" in refused("preprocessing", "check", tmp_path / "none.png", "--preset", "grey-0-1")


def test_check_of_four_contrasts_lays_them_side_by_side(run, tmp_path):
    contrasts, seen = tmp_path / "slice.npy", tmp_path / "seen.png"
    np.save(contrasts, np.random.default_rng(2).integers(1, 900, (1, 60, 50, 4)).astype(np.int16))
    code, _, err = run("preprocessing", "check", contrasts, "--preset", "brats", "-o", seen)
    assert code == 0, err
    assert np.asarray(Image.open(seen)).shape == (240, 4 * 240)
