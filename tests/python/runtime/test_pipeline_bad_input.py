"""Options that cannot be, images that are none, and waiting that ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nerone.errors import ConfigurationError, DtypeError, Error, ModelError, ShapeError, TimeoutError
from nerone.runtime.pipeline import Pipeline
from nerone.runtime.preprocessing import Preprocessing

IMAGE = np.full((2, 2), 0.5, np.float32)
PATIENT_MS = 60_000


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("threads", 0),
        ("threads", -1),
        ("threads", 1025),
        ("threads", "2"),
        ("threads", 1.5),
        ("threads", True),
        ("queue_size", 0),
        ("queue_size", "8"),
        ("queue_size", 1.5),
        ("device_timeout_ms", -1),
        ("cores", -1),
        ("job_latency_us", "1"),
        ("threads_per_image", 0),
        ("pin_to", (-1,)),
        ("pin_to", "a"),
        ("pin_to", (100_000,)),
        ("backend", "vrt"),
        ("result", "mask"),
        ("kernels", "fast"),
        ("device", 7),
        ("preprocessing", "resize"),
    ],
)
def test_options_that_cannot_be(tiny_xmodel: Path, option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=option):
        Pipeline(tiny_xmodel, **{option: value})


def test_the_paper_loop_has_no_raw_result(tiny_xmodel: Path) -> None:
    with pytest.raises(ConfigurationError, match="raw"):
        Pipeline(tiny_xmodel, backend="pynq", result="raw")


def test_numpy_numbers_are_numbers(tiny_xmodel: Path) -> None:
    with Pipeline(tiny_xmodel, threads=np.int64(2), queue_size=np.int32(3)) as pipeline:  # type: ignore[arg-type]
        assert pipeline.threads == 2


@pytest.mark.parametrize("backend", ["vart", "pynq"])
@pytest.mark.parametrize(
    ("image", "error"),
    [
        (np.zeros((3, 3), np.float32), ShapeError),
        (np.zeros((0, 2), np.float32), ShapeError),
        (np.zeros((1, 2, 2, 1), np.float32), ShapeError),
        ((IMAGE, IMAGE), ShapeError),
        (IMAGE.astype(complex), DtypeError),
        (np.array([[None] * 2] * 2), DtypeError),
        (None, DtypeError),
        ("image", DtypeError),
        ([[1, 2], [3, 4]], DtypeError),
        (np.float32(1), DtypeError),
    ],
)
def test_an_image_that_is_none_fails_alone(tiny_xmodel: Path, image: Any, error: type, backend: Any) -> None:
    with Pipeline(tiny_xmodel, result="real", backend=backend) as pipeline:
        before, bad, after = (pipeline.submit(one) for one in (IMAGE, image, IMAGE))
        assert isinstance(bad.exception(PATIENT_MS), error)
        assert before.result(PATIENT_MS).max() == after.result(PATIENT_MS).max() == 1.0


def test_not_a_number_and_infinity_have_results(tiny_xmodel: Path) -> None:
    image = np.array([[np.nan, np.inf], [-np.inf, 0.5]], np.float32)
    with Pipeline(tiny_xmodel, result="real") as pipeline:
        np.testing.assert_array_equal(pipeline.run(image).ravel(), [0.0, 127 / 16, -8.0, 1.0])


def test_what_goes_with_an_image_is_checked(tiny_xmodel: Path) -> None:
    with Pipeline(tiny_xmodel) as pipeline:
        for given in ({"spacing_mm": "x"}, {"spacing_mm": 0}, {"statistics": "x"}, {"statistics": ("x",)}):
            assert isinstance(pipeline.submit(IMAGE, **given).exception(PATIENT_MS), ConfigurationError)
        for timeout_ms in ("x", 2**40, True):
            with pytest.raises(ConfigurationError):
                pipeline.run(IMAGE, timeout_ms=timeout_ms)  # type: ignore[arg-type]


def test_every_wait_ends(tiny_xmodel: Path) -> None:
    """A device that takes a second: each call gives up after its own time, and can be made again."""
    slow = Pipeline(tiny_xmodel, threads=1, compute=False, job_latency_us=1_000_000, queue_size=1)
    first = slow.submit(IMAGE)
    for call in (
        lambda: first.result(20),
        lambda: first.exception(20),
        lambda: [slow.submit(IMAGE, timeout_ms=20) for _ in range(3)],
        lambda: slow.drain(20),
        lambda: slow.run(IMAGE, timeout_ms=20),
        lambda: slow.close(timeout_ms=20),
    ):
        with pytest.raises(TimeoutError):
            call()
    first.result(PATIENT_MS)
    slow.close(timeout_ms=PATIENT_MS)


def test_iterating_ends_too(tiny_xmodel: Path) -> None:
    with Pipeline(tiny_xmodel, threads=1, compute=False, job_latency_us=1_000_000) as slow:
        for results in (
            slow.map([IMAGE] * 2, timeout_ms=20),
            slow.map([IMAGE] * 2, on_error="yield", timeout_ms=20),
            slow.as_completed([IMAGE] * 2, timeout_ms=20),
        ):
            with pytest.raises(TimeoutError):
                next(results)
        assert len(list(slow.as_completed([IMAGE], timeout_ms=PATIENT_MS))) == 1


def test_an_error_of_the_images_source_is_the_callers(tiny_xmodel: Path) -> None:
    def camera() -> Iterator[np.ndarray]:
        yield IMAGE
        raise OSError("the camera is gone")

    with Pipeline(tiny_xmodel) as pipeline:
        with pytest.raises(OSError, match="camera"):
            list(pipeline.map(camera()))
        pipeline.run(IMAGE, timeout_ms=PATIENT_MS)


def test_bundles_that_cannot_work(tiny_xmodel: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no bundle"):
        Pipeline(tmp_path / "none")
    folder = tmp_path / "bad.nerone"
    folder.mkdir()
    good = {"preprocessing": Preprocessing(()).to_dict(), "output": {"kind": "segmentation"}, "board_model": ""}
    for text in ["", "{", "[]", "{}", json.dumps(good | {"output": {}}), json.dumps(good | {"preprocessing": 3})]:
        (folder / "bundle.json").write_text(text)
        with pytest.raises(ConfigurationError):
            Pipeline(folder)
    (folder / "bundle.json").write_text(json.dumps(good))
    with pytest.raises(Error):
        Pipeline(folder)
    (folder / "model.xmodel").write_bytes(b"no model")
    with pytest.raises(ModelError):
        Pipeline(folder)
    (folder / "model.xmodel").write_bytes(tiny_xmodel.read_bytes())
    Pipeline(folder).close()
