"""The vendor's quantizer as a backend: what it is given, what comes back, and every way in which it fails."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "graph"))
import keras_cases
import vendor_stand_in

from nerone.cli.main import main
from nerone.deployment import Bundle, deploy
from nerone.errors import ConfigurationError, ModelError, TimeoutError
from nerone.graph import from_keras
from nerone.quantization import QuantizeOptions, VendorQuantizer, quantize
from nerone.quantization.executor import QuantizedExecutor
from nerone.runtime.preprocessing import Channels, Preprocessing, Resize, ScaleOffset
from paths import golden

IMAGES = np.random.default_rng(0).normal(size=(60, 12, 12, 2)).astype(np.float32)


def network():
    image = keras.Input((12, 12, 2), name="image")
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(image)
    return keras_cases.randomize(keras.Model(image, layers.Softmax(name="soft")(layers.Conv2D(3, 1, name="end")(x))), 4)


@pytest.fixture(scope="module")
def graph():
    return from_keras(network())


@pytest.fixture(scope="module")
def ours(graph):
    return quantize(graph, IMAGES, strategy="vitis")


@pytest.fixture
def stand_in(tmp_path, ours):
    return vendor_stand_in.make(tmp_path, ours)


def by_vendor(graph, vendor, **options):
    return quantize(graph, IMAGES, backend="vai_q", vendor=vendor, **options)


def test_exact_calls_and_the_result_comes_back(graph, ours, stand_in, tmp_path):
    said = []
    options = QuantizeOptions(batch_size=20, equalize_steps=7)
    model = by_vendor(graph, VendorQuantizer(python=stand_in, log=said.append), options=options)
    loaded, made, quantized, saved = vendor_stand_in.calls(tmp_path)
    assert (loaded["call"], loaded["name"], loaded["settings"]) == ("load_model", "float.h5", {"compile": False})
    assert loaded["layers"] == ["image", "conv", "conv_relu", "end", "soft"]
    assert loaded["weights"]["conv/conv/kernel:0"] == [3, 3, 2, 4]
    assert made == {"call": "VitisQuantizer", "model": "the float model", "rest": [], "settings": {}}
    assert quantized["settings"] == {"calib_batch_size": 20, "include_cle": True, "cle_steps": 7}
    assert quantized["data"] == [["float32", [60, 12, 12, 2], float(IMAGES.sum(dtype=np.float64))]]
    assert saved == {"call": "save", "name": "q_model.h5"}
    assert said == ["[VAI INFO] Start Quantization..."]
    np.testing.assert_array_equal(QuantizedExecutor(model)(IMAGES)[0], QuantizedExecutor(ours)(IMAGES)[0])
    assert (model.report["method"], model.report["backend"], model.report["images"]) == ("ptq", "vai_q", 60)
    assert model.report["output_snr_db"] > 15
    assert not list(tmp_path.glob("nerone-*"))


def test_fast_finetuning_and_the_limit_are_the_vendors_too(graph, stand_in, tmp_path):
    vendor, values = VendorQuantizer(python=stand_in), iter([1.0, 0.5, 0.7])
    options = QuantizeOptions(finetune_epochs=3, equalize=False)
    labels = np.zeros((60, 12, 12), np.uint8)
    model = by_vendor(
        graph,
        vendor,
        options=options,
        max_drop=0.1,
        metric=lambda truth, scores: next(values),
        validation=(IMAGES, labels),
        labelled=(IMAGES, labels),
    )
    settings = [call["settings"] for call in vendor_stand_in.calls(tmp_path) if call["call"] == "quantize_model"]
    plain = {"calib_batch_size": 32, "include_cle": False, "cle_steps": 10}
    assert settings == [plain, {**plain, "include_fast_ft": True, "fast_ft_epochs": 3}]
    assert [(step["method"], round(step["drop"], 6)) for step in model.report["steps"]] == [("ptq", 0.5), ("ffq", 0.3)]
    assert (model.report["method"], model.report["within"]) == ("ffq", False)


def test_a_command_gets_the_folder_and_the_script(graph, stand_in, tmp_path):
    shared, wrapper = tmp_path / "shared", tmp_path / "container"
    shared.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\nshift 2\nexec {stand_in} "$@"\n')
    wrapper.chmod(0o755)
    by_vendor(graph, VendorQuantizer(command=f"{wrapper} -v {{folder}}:{{folder}}", folder=shared))
    flag, volume, script = (tmp_path / "words").read_text().split()
    folder = script.removesuffix("/quantize.py")
    assert flag == "-v"
    assert volume == f"{folder}:{folder}"
    assert Path(folder).parent == shared
    assert list(shared.iterdir()) == []


def failing(kind, words, run):
    with pytest.raises(kind, match=words) as caught:
        run()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "kind", "words"),
    [
        ("raise", ConfigurationError, "failed with exit code 1: ValueError: Cannot quantize layer 'conv'"),
        ("no file", ConfigurationError, "without a q_model.h5"),
        ("garbage", ModelError, "returned a file that cannot be used"),
    ],
)
def test_failures_are_one_sentence(graph, stand_in, monkeypatch, mode, kind, words):
    monkeypatch.setenv("STAND_IN_MODE", mode)
    failing(kind, words, lambda: by_vendor(graph, VendorQuantizer(python=stand_in)))


def test_it_is_stopped_in_time(graph, stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN_MODE", "hang")
    start = time.monotonic()
    vendor = VendorQuantizer(python=stand_in, time_limit_s=2.0)
    failing(TimeoutError, "stopped after 2 s", lambda: by_vendor(graph, vendor))
    assert time.monotonic() - start < 60


def test_another_model_and_a_float_one_are_refused(graph, stand_in, tmp_path, ours):
    from nerone.graph.keras2_h5 import write_keras2_h5

    write_keras2_h5(graph, tmp_path / "q_model.h5")
    failing(ModelError, "is not quantized", lambda: by_vendor(graph, VendorQuantizer(python=stand_in)))
    image = keras.Input((12, 12, 2), name="image")
    other = from_keras(keras.Model(image, layers.Conv2D(5, 1, name="end")(image)))
    vendor_stand_in.write_q_model(quantize(other, IMAGES, strategy="vitis"), tmp_path / "q_model.h5")
    failing(ModelError, "another model: its outputs", lambda: by_vendor(graph, VendorQuantizer(python=stand_in)))


def test_it_is_missing(graph, tmp_path):
    failing(ConfigurationError, "cannot be started", lambda: by_vendor(graph, VendorQuantizer(python=tmp_path / "no")))
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E -s "$@"\n')
    bare.chmod(0o755)
    failing(ConfigurationError, "has no vai_q_tensorflow2", lambda: by_vendor(graph, VendorQuantizer(python=bare)))
    failing(
        ConfigurationError,
        "exit code 3: it said nothing",
        lambda: by_vendor(graph, VendorQuantizer(command="sh -c 'exit 3'")),
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"python": "a", "command": "b"},
        {"command": ""},
        {"command": "a 'b"},
        {"python": "a", "time_limit_s": 0},
        {"python": "a", "folder": "/nowhere"},
    ],
)
def test_bad_places(settings):
    with pytest.raises(ConfigurationError):
        VendorQuantizer(**settings)


def test_former_name_of_the_backend_still_works(graph, stand_in):
    model = quantize(graph, IMAGES, backend="vitis", vendor=VendorQuantizer(python=stand_in))
    assert model.report["backend"] == "vai_q"


def test_bad_combinations(graph):
    vendor = VendorQuantizer(python="python3")
    for changes in (
        {"backend": "magic"},
        {"backend": "vai_q"},
        {"vendor": vendor},
        {"backend": "vai_q", "vendor": vendor, "method": "qat"},
    ):
        with pytest.raises(ConfigurationError):
            quantize(graph, IMAGES, **changes)


def test_deployed_from_python_and_the_command_line(stand_in, tmp_path, capsys):
    network().save(tmp_path / "net.keras")
    images = tmp_path / "images.npy"
    np.save(images, np.random.default_rng(1).integers(0, 255, (55, 12, 12, 2), np.uint8))
    steps = Preprocessing((Channels(2), Resize(12, 12), ScaleOffset((1 / 255,))))
    settings = {"preprocessing": steps, "output": tmp_path / "net", "backend": "vai_q"}
    scans = list(np.load(images))
    made = deploy(tmp_path / "net.keras", calibration=scans, vendor=VendorQuantizer(python=stand_in), **settings)
    assert made.report()["quantization"]["backend"] == "vai_q"
    calibration = tmp_path / "scans"
    calibration.mkdir()
    np.save(calibration / "a.npy", np.stack(scans))
    words = ["deploy", tmp_path / "net.keras", "--calibration", calibration, "-o", tmp_path / "net"]
    words += ["--backend", "vai_q", "--vai-q-python", stand_in, "--vai-q-time-limit", "60"]
    assert main([str(word) for word in words]) == 0
    assert "[VAI INFO] Start Quantization..." in capsys.readouterr().err
    assert Bundle.open(tmp_path / "net").report()["quantization"]["backend"] == "vai_q"
    words[-3] = tmp_path / "nowhere"
    assert main([str(word) for word in words]) == 2
    assert "cannot be started" in capsys.readouterr().err


def test_the_vendors_own_file_comes_back_whole(tmp_path, ours):
    """A real result of vai_q, returned by the stand-in for the float model that it was made from."""
    source = golden("h5/prostate_double_float.h5")
    program = vendor_stand_in.make(tmp_path, ours)
    (tmp_path / "q_model.h5").write_bytes(golden("h5/prostate_double_q.h5").read_bytes())
    images = np.random.default_rng(0).random((2, 256, 256, 1), np.float32)
    model = quantize(source, images, backend="vai_q", vendor=VendorQuantizer(python=program))
    loaded = vendor_stand_in.calls(tmp_path)[0]
    assert loaded["weights"]["conv2d/conv2d/kernel:0"] == [3, 3, 1, 4]
    assert model.weight_fix_points["conv2d"] == {"kernel": 4, "bias": 6}
