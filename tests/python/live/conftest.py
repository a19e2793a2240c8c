"""A live server on a free port with an engine of the tests, whose masks are known in advance."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.python.live.browser import CHROMIUM, FLAGS

from nerone.live.engines import BundleLabels
from nerone.live.results import Result
from nerone.live.server import LiveServer
from nerone.live.session import Session
from nerone.live.sources import LiveFrame, LiveSource, open_source
from nerone.web.access import Access
from waiting import PATIENT_S

SIDE = 64
COLOURS = ("#000000", "#d55e00", "#f0e442")


class SquareEngine:
    """Class 1 in the upper left quarter, class 2 in the lower right one; can be told to fail."""

    def __init__(self, name: str, threads: int, switches: dict[str, Any]) -> None:
        self.name = name
        self.threads = threads
        self._switches = switches

    def submit(self, frame: LiveFrame) -> Future[Result]:
        future: Future[Result] = Future()
        time.sleep(self._switches.get("frame_s", 0.002))
        if "probabilities" in self._switches:
            future.set_result(Result(probabilities=np.asarray(self._switches["probabilities"], np.float32)))
            return future
        if self._switches.get("fail"):
            future.set_exception(RuntimeError(self._switches["fail"]))
            return future
        mask = np.zeros(frame.image.shape[:2], np.uint8)
        half = mask.shape[0] // 2
        mask[:half, :half] = 1
        mask[half:, half:] = 2
        future.set_result(Result(mask=mask))
        return future

    def statistics(self) -> Mapping[str, Any]:
        return {
            "latency_ms": {"p50": 2.0, "p99": 3.0},
            "stages_ms": {"preprocess": 0.2, "device": 1.5},
            "utilisation": 0.5,
            "queue": 1,
        }

    def close(self) -> None:
        self._switches["closed"] = self._switches.get("closed", 0) + 1


LABELS = BundleLabels("segmentation", ("background", "liver", "bladder"), COLOURS, "engine of the tests")


@dataclass
class Running:
    server: LiveServer
    session: Session
    switches: dict[str, Any]
    loop: asyncio.AbstractEventLoop
    folder: Path
    made: list[tuple[str, int]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.url


# Rows run to the patient's back, columns to the left: upright as it is stored.
AFFINE = np.array([[0, -0.8, 0, 0], [-0.8, 0, 0, 0], [0, 0, 3.0, 0], [0, 0, 0, 1]])


def write_volume(path: Path, slices: int = 12) -> Path:
    nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
    rng = np.random.default_rng(5)
    data = rng.integers(-900, 400, (SIDE, SIDE, slices)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(data, AFFINE), path)
    return path


class QuarterModel:
    """A float model of the tests: class 1 in the lower left quarter, ready a moment after it is asked."""

    state, error = "ready", ""

    def __init__(self) -> None:
        self._done: Any = None
        self._asked: set[int] = set()

    def when_done(self, action: Any) -> None:
        self._done = action

    def result(self, shown: Any, source_number: int, *, live: bool) -> Result | None:
        if shown.index not in self._asked:
            self._asked.add(shown.index)
            threading.Timer(0.1, self._done).start()
            return None
        mask = np.zeros(shown.frame.image.shape[:2], np.uint8)
        half = mask.shape[0] // 2
        mask[half:, :half] = 1
        return Result(mask)


def start(folder: Path, source: LiveSource, access: Access, **more: Any) -> Running:
    switches: dict[str, Any] = {}
    made: list[tuple[str, int]] = []
    switches.update(more.pop("switches", {}))

    def make(backend: str, threads: int) -> SquareEngine:
        if backend not in LABELS.backends:
            raise ValueError(f"there is no backend '{backend}'")
        made.append((backend, threads))
        return SquareEngine(backend, threads, switches)

    session = Session(source, make, "vart", 1, meter=more.pop("meter", None))
    server = LiveServer(session, access, title="test bundle", bundle=more.pop("labels", LABELS), **more)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(PATIENT_S)
    return Running(server, session, switches, loop, folder, made)


def stop(running: Running) -> None:
    asyncio.run_coroutine_threadsafe(running.server.stop(), running.loop).result(PATIENT_S)
    running.loop.call_soon_threadsafe(running.loop.stop)
    running.session.close()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Running]:
    volume = write_volume(tmp_path / "scan.nii.gz")
    running = start(tmp_path, open_source(volume), Access(port=0))
    yield running
    stop(running)


@pytest.fixture(scope="module")  # while it is open, an event loop runs in this thread, which others need
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=1e3 * PATIENT_S)
        yield chromium
        chromium.close()
