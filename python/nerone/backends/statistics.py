"""A pipeline's work in numbers."""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

__all__ = ["Durations", "Stats", "StatsRecorder"]


@dataclass(frozen=True)
class Durations:
    """Milliseconds that a stage took, over all frames; percentiles within 2 %."""

    mean_ms: float = 0.0
    p50_ms: float = 0.0
    p90_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0


@dataclass(frozen=True)
class Stats:
    """A pipeline's work since its beginning, or since `Pipeline.reset_stats`.

    Attributes
    ----------
    submitted, completed, failed : int, frames
    workers_replaced : int, workers whose device did not answer
    elapsed_s : float, from the first submission to the last completion
    fps : float, completed frames per second of that time
    latency : Durations from submission to completion
    queue, preprocess, device, postprocess : Durations of the stages
    """

    submitted: int = 0
    completed: int = 0
    failed: int = 0
    workers_replaced: int = 0
    elapsed_s: float = 0.0
    fps: float = 0.0
    latency: Durations = Durations()
    queue: Durations = Durations()
    preprocess: Durations = Durations()
    device: Durations = Durations()
    postprocess: Durations = Durations()

    @classmethod
    def of(cls, core: Any) -> Stats:
        """Take over what the C++ core counted."""
        stages = {name: _durations(getattr(core, name)) for name in _STAGES}
        return cls(
            core.submitted, core.completed, core.failed, core.workers_replaced, core.elapsed_s, core.fps, **stages
        )

    @property
    def stages_ms(self) -> dict[str, float]:
        """Mean milliseconds of each stage that was measured, by its name."""
        stages = {name: getattr(self, name) for name in _STAGES if name != "latency"}
        return {name: durations.mean_ms for name, durations in stages.items() if durations.max_ms > 0}


_STAGES = ("latency", "queue", "preprocess", "device", "postprocess")


class StatsRecorder:
    """Counts the frames of a backend in Python; for several threads, in memory that does not grow with the frames.

    Times are those of `time.perf_counter`, in seconds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Count from here on."""
        with self._lock:
            self._submitted = self._failed = 0
            self._latencies = _Histogram()
            self._first_s, self._last_s = math.inf, -math.inf

    def submitted(self, now_s: float) -> None:
        """Count a frame that was queued."""
        with self._lock:
            self._submitted += 1
            self._first_s = min(self._first_s, now_s)

    def completed(self, submitted_s: float, now_s: float) -> None:
        """Count a frame that is done."""
        with self._lock:
            self._latencies.add((now_s - submitted_s) * 1e3)
            self._last_s = max(self._last_s, now_s)

    def failed(self, now_s: float) -> None:
        """Count a frame that raised."""
        with self._lock:
            self._failed += 1
            self._last_s = max(self._last_s, now_s)

    def stats(self) -> Stats:
        """Return the numbers so far."""
        with self._lock:
            count = self._latencies.count
            elapsed_s = max(0.0, self._last_s - self._first_s)
            if not math.isfinite(elapsed_s):
                elapsed_s = 0.0
            fps = count / elapsed_s if elapsed_s else 0.0
            return Stats(self._submitted, count, self._failed, 0, elapsed_s, fps, self._latencies.durations())


class _Histogram:
    """Durations in buckets whose limits are 2 % apart."""

    _RATIO = 1.02

    def __init__(self) -> None:
        self.count = 0
        self._counts: Counter[int] = Counter()
        self._sum_ms = self._max_ms = 0.0

    def add(self, duration_ms: float) -> None:
        self.count += 1
        self._counts[math.floor(math.log(max(duration_ms, 1e-6), self._RATIO))] += 1
        self._sum_ms += duration_ms
        self._max_ms = max(self._max_ms, duration_ms)

    def durations(self) -> Durations:
        if not self.count:
            return Durations()
        p50, p90, p99 = (self._percentile_ms(share) for share in (0.5, 0.9, 0.99))
        return Durations(self._sum_ms / self.count, p50, p90, p99, self._max_ms)

    def _percentile_ms(self, share: float) -> float:
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= share * self.count:
                return min(math.pow(self._RATIO, bucket + 0.5), self._max_ms)
        return self._max_ms


def _durations(core: Any) -> Durations:
    return Durations(core.mean_ms, core.p50_ms, core.p90_ms, core.p99_ms, core.max_ms)
