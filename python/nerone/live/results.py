"""Input and output of an engine: the contract between a session and what runs its frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nerone.live.sources import LiveFrame

__all__ = ["Engine", "Pending", "Result", "Shown"]


class Result:
    """An engine's result for a frame: a mask, or class probabilities.

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
    """Runs the frames; :mod:`nerone.live.engines` makes them of a bundle."""

    name: str
    threads: int

    def submit(self, frame: LiveFrame) -> Pending:
        """Queue a frame; blocks while the queue is full."""

    def statistics(self) -> Mapping[str, Any]:
        """Return stages_ms, latency_ms, utilisation, queue; None where a value cannot be measured."""

    def close(self) -> None:
        """Drain and stop."""


@dataclass(frozen=True)
class Shown:
    """The newest finished frame.

    Attributes
    ----------
    sequence : int, of finished frames, from 1
    index : int, of the frame in its source
    """

    sequence: int
    index: int
    frame: LiveFrame
    result: Result
