"""One live run: a source, an engine, what is playing. The screen takes what is newest and never holds the run back."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ConfigurationError
from nerone.live.sources import LiveFrame, LiveSource

__all__ = ["Engine", "Pending", "Result", "Session", "Shown"]

_IN_FLIGHT = 8
_ROW_INTERVAL_S = 0.5
_MASK_BYTES = 512 * 1024 * 1024


class Result:
    """What an engine makes of a frame: a mask, or class probabilities.

    Parameters
    ----------
    mask : (H, W) uint8 on the image's grid, or a function that makes it: it is called once, for frames that are looked
        at or taken away, and not for those that only pass through
    probabilities : (classes,) float32
    """

    def __init__(
        self,
        mask: NDArray[np.uint8] | Callable[[], NDArray[np.uint8]] | None = None,
        probabilities: NDArray[np.float32] | None = None,
    ) -> None:
        self._mask = mask
        self.probabilities = probabilities

    @property
    def mask(self) -> NDArray[np.uint8] | None:
        """The mask on the image's grid, (H, W) uint8, or None for a classification."""
        if callable(self._mask):
            self._mask = self._mask()
        return self._mask

    @property
    def has_mask(self) -> bool:
        """Whether there is a mask, without making it."""
        return self._mask is not None


class Pending(Protocol):
    """A result that is on its way; `concurrent.futures.Future` is one."""

    def done(self) -> bool:
        """Whether asking would not wait."""

    def result(self, timeout: float | None = None) -> Result:
        """Wait up to ``timeout`` seconds for the result, or raise the frame's own error."""


class Engine(Protocol):
    """What runs the frames; :mod:`nerone.live.engines` makes them of a bundle."""

    name: str
    threads: int

    def submit(self, frame: LiveFrame) -> Pending:
        """Queue a frame; blocks while the queue is full."""

    def statistics(self) -> Mapping[str, Any]:
        """Return stages_ms, latency_ms, utilisation, queue, watts; None where a value cannot be measured."""

    def close(self) -> None:
        """Drain and stop."""


@dataclass(frozen=True)
class Shown:
    """The newest finished frame."""

    sequence: int
    index: int
    frame: LiveFrame
    result: Result


@dataclass
class _Counters:
    done: int = 0
    failed: int = 0
    finished_at: deque[float] = field(default_factory=lambda: deque(maxlen=4096))


class Session:
    """Plays a source through an engine until closed.

    Thread-safe. While playing, frames are submitted one after another, from the start again after the last; paused,
    only the frame that was sought is run. Errors of a frame are kept as text for the viewers and the run goes on.
    """

    def __init__(
        self, source: LiveSource, make_engine: Callable[[str, int], Engine], backend: str, threads: int
    ) -> None:
        self.source = source
        self.window: tuple[float, float] | None = None
        self.rows: list[dict[str, Any]] = []
        self._make_engine = make_engine
        self._engine = make_engine(backend, threads)
        self._wanted_engine: tuple[str, int] | None = None
        self._lock = threading.Condition()
        self._playing = True
        self._position = 0
        self._sought: int | None = None
        self._closed = False
        self._error = ""
        self._sequence = 0
        self._shown: Shown | None = None
        self._counters = _Counters()
        self._results: dict[int, Result] = {}
        self._started = time.monotonic()
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
        """The last failure as one sentence, empty after a frame that succeeded."""
        return self._error

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
            self.source.close()
            self.source = source
            self._results = {}
            self._position = 0
            self._sought = 0
            self._lock.notify_all()

    def collected_masks(self) -> dict[int, NDArray[np.uint8]]:
        """Return the masks of the source's frames that have been run, by frame; at most 512 MiB of them are kept."""
        with self._lock:
            results = dict(self._results)
        masks = {index: result.mask for index, result in results.items()}
        return {index: mask for index, mask in masks.items() if mask is not None}

    def statistics(self) -> dict[str, Any]:
        """Return the numbers of the last seconds, ready for JSON."""
        now = time.monotonic()
        finished = [t for t in list(self._counters.finished_at) if now - t <= 2.0]
        fps = (
            (len(finished) - 1) / (finished[-1] - finished[0])
            if len(finished) > 2 and finished[-1] > finished[0]
            else 0.0
        )
        engine = dict(self._engine.statistics())
        watts = engine.get("watts")
        return {
            "fps": fps if self._playing else 0.0,
            "frames": self._counters.done,
            "failed": self._counters.failed,
            "backend": self._engine.name,
            "threads": self._engine.threads,
            "uptime_s": now - self._started,
            **engine,
            "fps_per_watt": fps / watts if watts else None,
        }

    def close(self, timeout_s: float = 10.0) -> None:
        """Stop playing and close engine and source."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        self._thread.join(timeout_s)
        self._engine.close()
        self.source.close()

    # The playing thread.

    def _run(self) -> None:
        in_flight: deque[tuple[int, LiveFrame, Pending]] = deque()
        next_row = time.monotonic()
        while not self._closed:
            if self._wanted_engine is not None:
                self._drain(in_flight)
                self._switch_engine()
            index = self._next_index()
            if index is not None:
                self._submit(index, in_flight)
            while in_flight and (len(in_flight) >= _IN_FLIGHT or index is None or in_flight[0][2].done()):
                self._finish(*in_flight.popleft())
            if time.monotonic() >= next_row:
                next_row = time.monotonic() + _ROW_INTERVAL_S
                self._record()
        self._drain(in_flight)

    def _next_index(self) -> int | None:
        with self._lock:
            if self._sought is None and not (self._playing and self.source.count > 0):
                self._lock.wait(0.05)
            if self._sought is not None:
                index, self._sought = self._sought, None
            elif self._playing and self.source.count > 0:
                index = self._position
            else:
                return None
            self._position = (index + 1) % max(1, self.source.count)
            return index

    def _submit(self, index: int, in_flight: deque[tuple[int, LiveFrame, Pending]]) -> None:
        try:
            frame = self.source.frame(index)
            in_flight.append((index, frame, self._engine.submit(frame)))
        except Exception as error:
            self._fail(error)

    def _finish(self, index: int, frame: LiveFrame, future: Pending) -> None:
        try:
            result = future.result(timeout=30.0)
        except (FutureTimeoutError, TimeoutError):
            self._fail(TimeoutError(f"frame {index} did not finish in 30 s"))
            return
        except Exception as error:
            self._fail(error)
            return
        self._counters.done += 1
        self._counters.finished_at.append(time.monotonic())
        self._sequence += 1
        self._error = ""
        self._collect(index, frame, result)
        self._shown = Shown(self._sequence, index, frame, result)

    def _collect(self, index: int, frame: LiveFrame, result: Result) -> None:
        with self._lock:
            room = len(self._results) * frame.image.size < _MASK_BYTES
            if result.has_mask and (index in self._results or room):
                self._results[index] = result

    def _fail(self, error: Exception) -> None:
        self._counters.failed += 1
        self._error = str(error).splitlines()[0] if str(error) else type(error).__name__
        # A source that fails on every frame must not turn into a busy loop.
        with self._lock:
            self._lock.wait(0.02)

    def _drain(self, in_flight: deque[tuple[int, LiveFrame, Pending]]) -> None:
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
        self._counters.finished_at.clear()
        old.close()

    def _record(self) -> None:
        if not self._playing:
            return
        s = self.statistics()
        latency = s.get("latency_ms", {})
        self.rows.append(
            {
                "time_s": round(s["uptime_s"], 3),
                "backend": s["backend"],
                "threads": s["threads"],
                "frames": s["frames"],
                "failed": s["failed"],
                "fps": s["fps"],
                "latency_p50_ms": latency.get("p50"),
                "latency_p99_ms": latency.get("p99"),
                "watts": s.get("watts"),
            }
        )
        # Half an hour at two rows a second; the memory of a long run stays flat.
        del self.rows[:-3600]
