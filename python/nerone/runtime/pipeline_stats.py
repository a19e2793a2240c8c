"""What a pipeline did, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Durations", "Stats"]


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
    """What a pipeline did since its beginning, or since `Pipeline.reset_stats`.

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


_STAGES = ("latency", "queue", "preprocess", "device", "postprocess")


def _durations(core: Any) -> Durations:
    return Durations(core.mean_ms, core.p50_ms, core.p90_ms, core.p99_ms, core.max_ms)
