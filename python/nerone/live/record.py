"""The numbers of a run: how many frames, how fast, and one row every half second for the CSV."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

__all__ = ["COLUMNS", "RunRecord"]

_ROW_INTERVAL_S = 0.5
# An hour of rows; the memory of a long run stays flat.
_MAX_ROWS = 7200
_STAGES = ("queue", "preprocess", "device", "postprocess")
COLUMNS = (
    "time_s",
    "backend",
    "threads",
    "frames",
    "failed",
    "fps",
    "latency_p50_ms",
    "latency_p99_ms",
    *(f"{stage}_ms" for stage in _STAGES),
    "utilisation",
    "queue",
    "watts",
    "fps_per_watt",
)


class RunRecord:
    """Counts finished and failed frames and keeps the rows of the last hour; written by the playing thread only."""

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        self.rows: deque[dict[str, Any]] = deque(maxlen=_MAX_ROWS)
        self._finished_at: deque[float] = deque(maxlen=4096)
        self._started = time.monotonic()
        self._next_row = self._started

    @property
    def uptime_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started

    def finished(self) -> None:
        """Count a frame."""
        self.done += 1
        self._finished_at.append(time.monotonic())

    def restart_rate(self) -> None:
        """Measure frames per second from here on, because another engine took over."""
        self._finished_at.clear()

    def fps(self) -> float:
        """Return the frames per second of the last two seconds."""
        now = time.monotonic()
        times = [t for t in list(self._finished_at) if now - t <= 2.0]
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 2 and times[-1] > times[0] else 0.0

    def row_due(self) -> bool:
        """Whether half a second passed since the last row; starts the next half second."""
        if time.monotonic() < self._next_row:
            return False
        self._next_row = time.monotonic() + _ROW_INTERVAL_S
        return True

    def add_row(self, statistics: Mapping[str, Any]) -> None:
        """Keep a row of what :meth:`nerone.live.session.Session.statistics` says."""
        latency, stages = statistics.get("latency_ms") or {}, statistics.get("stages_ms") or {}
        row = {name: statistics.get(name) for name in COLUMNS}
        row["time_s"] = round(statistics["uptime_s"], 3)
        row["latency_p50_ms"], row["latency_p99_ms"] = latency.get("p50"), latency.get("p99")
        row.update({f"{stage}_ms": stages.get(stage) for stage in _STAGES})
        self.rows.append(row)
