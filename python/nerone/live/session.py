"""One live run: a source, an engine, what is playing. The screen takes what is newest and never holds the run back."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.frame import Frame
from nerone.data.value_range import PlayedNotes
from nerone.errors import ConfigurationError, DeviceError, QueueClosedError
from nerone.evaluation.power_watch import PowerWatch
from nerone.live.record import RunRecord
from nerone.live.results import Engine, Pending, Result, Shown
from nerone.live.sources import LiveFrame, LiveSource

__all__ = ["Session"]

_LOG = logging.getLogger("nerone.live")
_IN_FLIGHT = 8
_MASK_BYTES = 512 * 1024 * 1024
# How long a failure stays on the screen although later frames succeed, so that it can be read.
_ERROR_SHOWN_S = 3.0
# A device that fails so often in a row is opened again, at most so often.
_FAILURES_TO_REOPEN = 3
_REOPEN_INTERVAL_S = 2.0


class Session:
    """Plays a source through an engine until closed.

    Thread-safe. While playing, frames are submitted one after another, from the start again after the last; paused,
    only the frame that was sought is run. Errors of a frame are kept as text for the viewers and the run goes on; a
    device that keeps failing is opened again.

    Parameters
    ----------
    source : LiveSource, closed with the session
    make_engine : function from backend and threads to an engine
    meter : PowerWatch, or None where power is not measured
    notes : PlayedNotes, to compare sources with the calibration images; None makes no notes
    told : function that takes each note with the source's name, once; None logs them as warnings
    """

    def __init__(
        self,
        source: LiveSource,
        make_engine: Callable[[str, int], Engine],
        backend: str,
        threads: int,
        *,
        meter: PowerWatch | None = None,
        notes: PlayedNotes | None = None,
        told: Callable[[str], None] | None = None,
    ) -> None:
        self.source = source
        self._notes, self._told = notes, told or _LOG.warning
        self.source_number = 1
        self.window: tuple[float, float] | None = None
        self.record = RunRecord()
        self.meter = meter or PowerWatch(None)
        self._make_engine = make_engine
        self._engine = make_engine(backend, threads)
        self._wanted_engine: tuple[str, int] | None = None
        self._lock = threading.Condition()
        self._playing = True
        self._position = 0
        self._sought: int | None = None
        self._closed = False
        self._error = ("", 0.0)
        self._failures = 0
        self._reopen_s = 0.0
        self._sequence = 0
        self._shown: Shown | None = None
        self._results: dict[int, Result] = {}
        self._thread = threading.Thread(target=self._run, name="nerone-live", daemon=True)
        self._thread.start()

    @property
    def shown(self) -> Shown | None:
        """The newest finished frame, None before the first."""
        return self._shown

    @property
    def playing(self) -> bool:
        """Whether frames follow one another by themselves."""
        return self._playing

    @property
    def error(self) -> str:
        """The last failure as one sentence; empty 3 s after it when frames succeed again."""
        text, at = self._error
        return text if self._failures > 0 or time.monotonic() - at < _ERROR_SHOWN_S else ""

    @property
    def backend(self) -> str:
        """Name of the engine in use."""
        return self._engine.name

    @property
    def threads(self) -> int:
        """Worker threads of the engine in use."""
        return self._engine.threads

    def play(self) -> None:
        """Go on from the frame that is shown."""
        with self._lock:
            self._playing = True
            self._lock.notify_all()

    def pause(self) -> None:
        """Stop at the frame that is shown."""
        with self._lock:
            self._playing = False
            self._lock.notify_all()

    def seek(self, index: int) -> None:
        """Show frame ``index`` (0 to count - 1; others are refused) and stay there, or play on from it."""
        if not 0 <= index < max(1, self.source.count):
            raise ConfigurationError(
                f"frame {index} is not in the source, which has frames 0 to {self.source.count - 1}"
            )
        with self._lock:
            self._sought = index
            self._lock.notify_all()

    def use_engine(self, backend: str, threads: int) -> None:
        """Change the backend or thread count; frames in flight are finished first."""
        with self._lock:
            self._wanted_engine = (backend, threads)
            self._lock.notify_all()

    def use_source(self, source: LiveSource) -> None:
        """Play another source from its first frame."""
        with self._lock:
            old, self.source = self.source, source
            self.source_number += 1
            self._results = {}
            self._position = 0
            self._sought = 0
            self._lock.notify_all()
        old.close()

    def collected_masks(self) -> dict[int, NDArray[np.uint8]]:
        """Return the masks of the source's frames that have been run, by frame; at most 512 MiB of them are kept."""
        with self._lock:
            results = dict(self._results)
        masks = {index: result.mask for index, result in results.items()}
        return {index: mask for index, mask in masks.items() if mask is not None}

    def statistics(self) -> dict[str, Any]:
        """Return the numbers of the last seconds, ready for JSON; None where a value cannot be measured."""
        fps = self.record.fps() if self._playing else 0.0
        watts = self.meter.watts
        return {
            "fps": fps,
            "frames": self.record.done,
            "failed": self.record.failed,
            "backend": self._engine.name,
            "threads": self._engine.threads,
            "uptime_s": self.record.uptime_s,
            **self._engine.statistics(),
            "watts": watts,
            "fps_per_watt": fps / watts if watts else None,
        }

    def close(self, timeout_s: float = 10.0) -> None:
        """Stop playing and close engine, source and meter."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        self._thread.join(timeout_s)
        self._engine.close()
        self.source.close()
        self.meter.close()

    # The playing thread.

    def _run(self) -> None:
        in_flight: deque[tuple[int, LiveFrame, Pending, LiveSource]] = deque()
        while not self._closed:
            if self._wanted_engine is not None:
                self._drain(in_flight)
                self._switch_engine()
            try:
                index = self._next_index()
            except Exception as error:  # a source that cannot even be counted
                index = None
                self._fail(error)
            if index is not None:
                self._submit(index, in_flight)
            while in_flight and (len(in_flight) >= _IN_FLIGHT or index is None or in_flight[0][2].done()):
                self._finish(*in_flight.popleft())
            if self._playing and self.record.row_due():
                self.record.add_row(self.statistics())
        self._drain(in_flight)

    def _next_index(self) -> int | None:
        with self._lock:
            count = self.source.count
            if self._sought is None and not (self._playing and count > 0):
                self._lock.wait(0.05)
            if self._sought is not None:
                index, self._sought = self._sought, None
            elif self._playing and count > 0:
                index = min(self._position, count - 1)  # a source may have become shorter
            else:
                return None
            self._position = (index + 1) % max(1, count)
            return index

    def _submit(self, index: int, in_flight: deque[tuple[int, LiveFrame, Pending, LiveSource]]) -> None:
        source = self.source
        try:
            frame = source.frame(index)
            self._look(source, frame.stored)
            in_flight.append((index, frame, self._engine.submit(frame), source))
        except Exception as error:
            if source is self.source:  # not of a source that was closed meanwhile
                self._fail(error)

    def _look(self, source: LiveSource, frame: Frame) -> None:
        note = self._notes.note(frame) if self._notes is not None else ""
        if note:
            source.note = f"{source.called(frame)}: {note}"
            self._told(source.note)

    def _finish(self, index: int, frame: LiveFrame, future: Pending, source: LiveSource) -> None:
        try:
            result = future.result(timeout=30.0)
        except (FutureTimeoutError, TimeoutError):
            self._fail(DeviceError(f"frame {index} did not finish in 30 s; the device may hang"))
            return
        except Exception as error:
            self._fail(error)
            return
        self.record.finished()
        self._failures = 0
        with self._lock:
            if source is not self.source:
                return
            self._sequence += 1
            self._collect(index, frame, result)
            self._shown = Shown(self._sequence, index, frame, result)

    def _collect(self, index: int, frame: LiveFrame, result: Result) -> None:
        room = len(self._results) * frame.image.size < _MASK_BYTES
        if result.has_mask and (index in self._results or room):
            self._results[index] = result

    def _fail(self, error: Exception) -> None:
        self.record.failed += 1
        self._failures += 1
        self._error = (str(error).splitlines()[0] if str(error) else type(error).__name__, time.monotonic())
        broken = isinstance(error, (DeviceError, QueueClosedError)) and self._failures >= _FAILURES_TO_REOPEN
        # A source that fails on every frame must not turn into a busy loop.
        with self._lock:
            if broken and self._wanted_engine is None and time.monotonic() >= self._reopen_s:
                self._reopen_s = time.monotonic() + _REOPEN_INTERVAL_S
                self._wanted_engine = (self._engine.name, self._engine.threads)
            self._lock.wait(0.02)

    def _drain(self, in_flight: deque[tuple[int, LiveFrame, Pending, LiveSource]]) -> None:
        while in_flight:
            self._finish(*in_flight.popleft())

    def _switch_engine(self) -> None:
        with self._lock:
            wanted, self._wanted_engine = self._wanted_engine, None
        if wanted is None:
            return
        try:
            engine = self._make_engine(*wanted)
        except Exception as error:
            self._fail(error)
            return
        self._engine, old = engine, self._engine
        self.record.restart_rate()
        with contextlib.suppress(Exception):  # of a device that failed already
            old.close()
