"""The float model beside the bundle: the same frames, its own process, and no message lost when it ends."""

from __future__ import annotations

import inspect
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nerone.data.frame import Frame
from nerone.errors import ConfigurationError
from nerone.live.fp32 import FloatModel
from nerone.live.fp32_process import serve
from nerone.live.results import Result, Shown
from nerone.live.sources import LiveFrame
from nerone.runtime.preprocessing import Channels, Preprocessing, Resize, ScaleOffset
from waiting import PATIENT_S, wait_for

keras = pytest.importorskip("keras", reason="TensorFlow is not installed")


def make(folder: Path, *, classes: int, flat: bool) -> tuple[Any, Path]:
    from nerone.deployment import deploy

    image = keras.Input((16, 16, 1), name="image")
    x = keras.layers.Conv2D(classes, 3, padding="same")(image)
    if flat:
        x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Softmax()(x))
    path = folder / "net.keras"
    model.save(path)
    steps = Preprocessing((Channels(1), Resize(16, 16), ScaleOffset((1 / 255,))))
    images = [np.random.default_rng(n).integers(0, 255, (24, 20)).astype(np.uint8) for n in range(4)]
    names = [f"class {n}" for n in range(classes)]
    bundle = deploy(path, calibration=images, preprocessing=steps, class_names=names, output=folder / "net.nerone")
    return bundle, path


def shown(number: int) -> Shown:
    image = np.random.default_rng(50 + number).integers(0, 255, (24, 20)).astype(np.uint8)
    return Shown(number + 1, number, LiveFrame(Frame(image, Path("made"), number)), Result())


def asked(model: FloatModel, frame: Shown, *, live: bool = False) -> Result:
    wait_for(lambda: model.error or model.result(frame, 1, live=live) is not None, 300)  # TensorFlow starts
    assert model.error == ""
    found = model.result(frame, 1, live=live)
    assert found is not None
    return found


@pytest.fixture
def closing() -> Iterator[list[FloatModel]]:
    opened: list[FloatModel] = []
    yield opened
    for model in opened:
        model.close()


def test_masks_are_those_of_evaluate_and_the_end_is_told(tmp_path: Path, closing: list[FloatModel]) -> None:
    from nerone.evaluation.evaluate import KerasNetwork
    from nerone.runtime.preprocessing.image_grid import on_image_grid
    from nerone.runtime.preprocessing.numpy_steps import apply

    bundle, path = make(tmp_path, classes=3, flat=False)
    assert inspect.signature(FloatModel).parameters["niceness"].default == 19, "the least priority there is"
    model = FloatModel(bundle, path, niceness=1)  # not the least, on machines that others keep busy
    closing.append(model)
    calls: list[str] = []
    model.when_done(lambda: calls.append(model.state))
    assert model.result(shown(0), 1, live=False) is None, "nobody waits for it"
    network = KerasNetwork(path)
    for number in (0, 1):
        frame = shown(number)
        found = asked(model, frame)
        classes = network.scores(apply(bundle.preprocessing, frame.frame.image)).argmax(-1).astype(np.uint8)
        expected = on_image_grid(bundle.preprocessing, classes, (24, 20))
        assert found.mask is not None
        assert np.mean(found.mask != expected) < 0.01  # one thread and many may sum in another order
    assert model.state == "ready"
    assert calls.count("ready") >= 2
    assert model.result(shown(0), 1, live=False) is not None, "a frame that comes again is not computed again"
    assert model.result(shown(0), 2, live=False) is None, "the frame of another source is another frame"
    process = model._process.pid
    assert os.getpriority(os.PRIO_PROCESS, process) == os.getpriority(os.PRIO_PROCESS, 0) + 1
    os.kill(process, signal.SIGKILL)
    wait_for(lambda: model.result(shown(5), 1, live=True) is None and model.state == "failed")
    assert model.error


def test_frames_of_a_camera_are_told_apart(tmp_path: Path, closing: list[FloatModel]) -> None:
    bundle, path = make(tmp_path, classes=2, flat=False)
    model = FloatModel(bundle, path)
    closing.append(model)
    model._kept[(1, 5)] = Result()
    model._source_number = 1
    assert model.result(shown(4), 1, live=True) is not None
    assert model.result(shown(5), 1, live=True) is None


def answers(bundle: Any, model: Path, frames: list[np.ndarray]) -> list[Any]:
    ours, theirs = multiprocessing.Pipe()
    thread = threading.Thread(target=serve, args=(theirs, str(bundle.path), str(model)))
    thread.start()
    got = [ours.recv()]
    for image in frames:
        ours.send((image, None, None))
        got.append(ours.recv())
    ours.close()
    thread.join(PATIENT_S)
    assert not thread.is_alive(), "it ends when it is hung up on"
    return got


@pytest.mark.parametrize("last", ["softmax", "none"])
def test_classifications_give_probabilities(tmp_path: Path, last: str) -> None:
    bundle, path = make(tmp_path, classes=4, flat=True)
    if last == "none":
        model = keras.models.load_model(path)
        keras.Model(model.input, model.layers[-2].output).save(path)
    loaded, (error, (mask, probabilities)) = answers(bundle, path, [shown(1).frame.image])
    assert loaded == ("", None)
    assert (error, mask) == ("", None)
    assert probabilities.shape == (4,)
    assert float(probabilities.sum()) == pytest.approx(1, abs=1e-4)


def test_what_cannot_be_had_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, path = make(tmp_path, classes=2, flat=False)
    with pytest.raises(ConfigurationError, match="no model"):
        FloatModel(bundle, tmp_path / "none.keras")
    (tmp_path / "broken.keras").write_bytes(b"no model")
    [(error, _)] = answers(bundle, tmp_path / "broken.keras", [])
    assert "cannot be run" in error
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="needs TensorFlow"):
        FloatModel(bundle, path)
