"""A run: devices that fail are opened again, messages stay readable, power and numbers are recorded."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from tests.python.live.conftest import SquareEngine

from nerone.data.frame import Frame
from nerone.errors import ConfigurationError, DeviceError
from nerone.live.downloads import statistics_csv
from nerone.live.meter import PowerWatch
from nerone.live.record import COLUMNS
from nerone.live.results import Result
from nerone.live.session import Session
from nerone.live.sources import LiveFrame, LiveSource


class Stripes(LiveSource):
    """Frames that cost nothing to read; those in ``damaged`` cannot be."""

    name = "stripes"

    def __init__(self, count: int = 20) -> None:
        super().__init__()
        self._count = count
        self.damaged: set[int] = set()
        self.closed = 0
        self.on_close(lambda: setattr(self, "closed", self.closed + 1))

    @property
    def count(self) -> int:
        return self._count

    def frame(self, index: int) -> LiveFrame:
        if index in self.damaged:
            raise ConfigurationError(f"frame {index} is damaged")
        return LiveFrame(Frame(np.full((16, 16), index, np.uint8), None, index))  # type: ignore[arg-type]


class MortalEngine(SquareEngine):
    """Fails for good once it was told to die; only another one works again."""

    def __init__(self, name: str, threads: int, switches: dict[str, Any]) -> None:
        super().__init__(name, threads, switches)
        self.dead = False
        switches["engines"] = switches.get("engines", 0) + 1

    def submit(self, frame: LiveFrame) -> Future[Result]:
        self.dead = self.dead or bool(self._switches.pop("die", False))
        if self.dead:
            raise DeviceError("the DPU stopped answering")
        return super().submit(frame)


def wait_for(condition: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.01)


@pytest.fixture
def switches() -> dict[str, Any]:
    return {}


@pytest.fixture
def session(switches: dict[str, Any]) -> Iterator[Session]:
    running = Session(Stripes(), lambda name, threads: MortalEngine(name, threads, switches), "vart", 1)
    yield running
    running.close()


def test_a_device_that_died_is_opened_again(session: Session, switches: dict[str, Any]) -> None:
    wait_for(lambda: session.record.done > 5)
    switches["die"] = True
    wait_for(lambda: "stopped answering" in session.error)
    wait_for(lambda: switches["engines"] == 2)
    before = session.record.done
    wait_for(lambda: session.record.done > before + 10)
    wait_for(lambda: session.error == "")
    assert session.backend == "vart"


def test_one_damaged_frame_is_told_long_enough_to_be_read(session: Session) -> None:
    source = session.source
    assert isinstance(source, Stripes)
    source.damaged = {3}
    wait_for(lambda: session.record.failed > 0)
    source.damaged = set()
    done = session.record.done
    wait_for(lambda: session.record.done > done + 5)
    assert session.error == "frame 3 is damaged"
    wait_for(lambda: session.error == "")


def test_frames_of_a_closed_source_leave_nothing_behind(session: Session) -> None:
    old = session.source
    other = Stripes(count=3)
    wait_for(lambda: len(session.collected_masks()) > 3)
    session.use_source(other)
    wait_for(lambda: session.record.done > 40)
    assert old.closed == 1  # type: ignore[attr-defined]
    assert set(session.collected_masks()) <= {0, 1, 2}
    assert session.shown is not None
    assert session.shown.index < 3


class Meter:
    name = "meter of the tests"

    def __init__(self) -> None:
        self.values = [4.0, float("nan"), RuntimeError("unplugged"), 5.0]

    def read_watts(self) -> float:
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        if isinstance(value, Exception):
            raise value
        return float(value)  # type: ignore[arg-type]


def test_power_is_the_newest_reading_and_none_while_there_is_none() -> None:
    assert PowerWatch(None).watts is None
    watch = PowerWatch(Meter(), interval_s=0.1)  # type: ignore[arg-type]
    seen: list[float | None] = []

    def both() -> bool:
        seen.append(watch.watts)
        return watch.watts == 5.0

    wait_for(both)
    assert None in seen
    assert 4.0 in seen
    watch.close()
    assert watch.name == "meter of the tests"


def test_the_csv_has_power_stages_and_rates(switches: dict[str, Any]) -> None:
    meter = PowerWatch(Meter(), interval_s=0.01)  # type: ignore[arg-type]
    session = Session(Stripes(), lambda n, t: SquareEngine(n, t, switches), "vart", 1, meter=meter)
    try:
        wait_for(lambda: len(session.record.rows) >= 3)
        rows = list(csv.DictReader(io.StringIO(statistics_csv(session))))
        assert tuple(rows[0]) == COLUMNS
        last = rows[-1]
        assert float(last["watts"]) == 5.0
        assert float(last["fps_per_watt"]) == pytest.approx(float(last["fps"]) / 5.0)
        assert (float(last["device_ms"]), last["postprocess_ms"], last["utilisation"]) == (1.5, "", "0.5")
        times = [float(row["time_s"]) for row in rows]
        assert times == sorted(times)
        assert int(last["frames"]) > int(rows[0]["frames"])
    finally:
        session.close()
