"""A run: devices that fail are opened again, messages stay readable, power and numbers are recorded."""

from __future__ import annotations

import contextlib
import csv
import io
import queue
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from tests.python.live.conftest import SquareEngine

from nerone.data.frame import Frame
from nerone.errors import ConfigurationError, DeviceError
from nerone.evaluation.power_watch import PowerWatch
from nerone.live import session as session_module
from nerone.live.downloads import statistics_csv
from nerone.live.record import COLUMNS
from nerone.live.results import Result
from nerone.live.session import Session
from nerone.live.sources import LiveFrame, LiveSource
from waiting import wait_for


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


@pytest.fixture
def switches() -> dict[str, Any]:
    return {}


@pytest.fixture
def session(switches: dict[str, Any]) -> Iterator[Session]:
    running = Session(Stripes(), lambda name, threads: MortalEngine(name, threads, switches), "vart", 1)
    yield running
    running.close()


@pytest.fixture
def lasting_errors(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Errors stay on the screen until the function that this gives is called, however slow the machine is."""
    assert 2 <= session_module._ERROR_SHOWN_S <= 10, "long enough to be read"
    monkeypatch.setattr(session_module, "_ERROR_SHOWN_S", 3600.0)
    return lambda: monkeypatch.setattr(session_module, "_ERROR_SHOWN_S", 0.0)


def test_a_device_that_died_is_opened_again(session: Session, switches: dict[str, Any], lasting_errors: Any) -> None:
    wait_for(lambda: session.record.done > 5)
    switches["die"] = True
    wait_for(lambda: "stopped answering" in session.error)
    wait_for(lambda: switches["engines"] == 2)
    before = session.record.done
    wait_for(lambda: session.record.done > before + 10)
    lasting_errors()
    wait_for(lambda: session.error == "")
    assert session.backend == "vart"


def test_one_damaged_frame_is_told_long_enough_to_be_read(session: Session, lasting_errors: Any) -> None:
    source = session.source
    assert isinstance(source, Stripes)
    source.damaged = {3}
    wait_for(lambda: session.record.failed > 0)
    source.damaged = set()
    done = session.record.done
    wait_for(lambda: session.record.done > done + 5)
    assert session.error == "frame 3 is damaged"
    lasting_errors()
    wait_for(lambda: session.error == "")


def test_frames_of_a_closed_source_leave_nothing_behind(session: Session) -> None:
    old = session.source
    other = Stripes(count=3)
    wait_for(lambda: len(session.collected_masks()) > 3)
    session.use_source(other)
    done = session.record.done
    wait_for(lambda: session.record.done > done + 40)
    assert old.closed == 1  # type: ignore[attr-defined]
    assert set(session.collected_masks()) <= {0, 1, 2}
    assert session.shown is not None
    assert session.shown.index < 3


class Meter:
    """Reads the newest of ``values``."""

    name = "meter of the tests"

    def __init__(self, *values: float) -> None:
        self.values: queue.Queue[float | Exception] = queue.Queue()
        for value in values:
            self.values.put(value)
        self._last: float | Exception = float("nan")

    def read_watts(self) -> float:
        with contextlib.suppress(queue.Empty):
            self._last = self.values.get(timeout=0.05)
        if isinstance(self._last, Exception):
            raise self._last
        return self._last


def test_power_is_the_newest_reading_and_none_while_there_is_none() -> None:
    assert PowerWatch(None).watts is None
    meter = Meter()
    watch = PowerWatch(meter, interval_s=0.0)
    assert watch.watts is None
    for reading in (4.0, float("nan"), 5.0, RuntimeError("unplugged"), 6.0, 0.0, 7.0):
        meter.values.put(reading)
        expected = reading if isinstance(reading, float) and reading > 0 else None
        wait_for(lambda expected=expected: watch.watts == expected)
    watch.close()
    assert watch.name == "meter of the tests"


def test_the_csv_has_power_stages_and_rates(switches: dict[str, Any]) -> None:
    meter = PowerWatch(Meter(5.0))
    wait_for(lambda: meter.watts == 5.0)
    session = Session(Stripes(), lambda n, t: SquareEngine(n, t, switches), "vart", 1, meter=meter)
    try:
        # The first row may be older than the first two frames, of which a rate is made.
        wait_for(lambda: len(session.record.rows) >= 3 and session.record.rows[-1]["fps"] > 0)
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
