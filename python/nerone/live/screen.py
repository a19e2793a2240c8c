"""The screen's side of a session: the newest frame, encoded once for all viewers, at a rate the run does not feel."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Executor

from nerone._core import usable_cores
from nerone.live.encoding import encode_frame
from nerone.live.fp32 import FloatModel
from nerone.live.results import Result, Shown
from nerone.live.session import Session

__all__ = ["Screen"]

_MAX_RATE_HZ = 30.0
# Share of the machine's processor time that pictures may take while frames are playing.
_SHARE = 0.015

# Which frame was encoded, and in which way to show it.
Key = tuple[int, int]


class Screen:
    """Encodes frames for the viewers: at most 30 a second, fewer where encoding would cost the run more than 1.5 %.

    Parameters
    ----------
    session : Session
    executor : of one thread, which encodes
    float_model : FloatModel or None, whose results are shown beside the bundle's
    """

    def __init__(self, session: Session, executor: Executor, float_model: FloatModel | None = None) -> None:
        self._session = session
        self._executor = executor
        self._float_model = float_model
        self._encoded: tuple[Key, bytes] = ((0, 0), b"")
        self._version = 0
        self._busy: asyncio.Lock | None = None
        self._next_s = 0.0

    def refresh(self) -> None:
        """Encode the shown frame again, because the way to show it changed."""
        self._version += 1

    async def newer_than(self, seen: Key) -> tuple[Key, bytes]:
        """Wait for a picture that a viewer who has ``seen`` one does not have, and return it with its key."""
        if self._busy is None:
            self._busy = asyncio.Lock()
        while True:
            async with self._busy:
                shown = self._session.shown
                if shown is not None:
                    due = time.monotonic() >= self._next_s or not self._session.playing
                    if (shown.sequence, self._version) != self._encoded[0] and due:
                        await self._encode(shown)
                    if self._encoded[1] and self._encoded[0] != seen:
                        return self._encoded
            await asyncio.sleep(1.0 / _MAX_RATE_HZ / 2)

    async def _encode(self, shown: Shown) -> None:
        version, source, number = self._version, self._session.source, self._session.source_number
        float_result: Result | None = None
        if self._float_model is not None:
            float_result = self._float_model.result(shown, number, live=source.live)
        began = time.monotonic()
        message = await asyncio.get_running_loop().run_in_executor(
            self._executor, _message, shown, float_result, self._session.window
        )
        cost_s = time.monotonic() - began
        interval_s = max(1.0 / _MAX_RATE_HZ, min(0.25, cost_s / (_SHARE * usable_cores())))
        self._next_s = began + interval_s
        self._encoded = ((shown.sequence, version), message)


def _message(shown: Shown, float_result: Result | None, window: tuple[float, float] | None) -> bytes:
    masks = {} if shown.result.mask is None else {"int8": shown.result.mask}
    header: dict[str, object] = {"index": shown.index, "sequence": shown.sequence}
    if shown.result.probabilities is not None:
        header["probabilities"] = [float(p) for p in shown.result.probabilities]
    if float_result is not None:
        if float_result.mask is not None:
            masks["fp32"] = float_result.mask
        if float_result.probabilities is not None:
            header["probabilities_fp32"] = [float(p) for p in float_result.probabilities]
    masks.update(shown.frame.masks)
    return encode_frame(header, shown.frame.image, masks, window, shown.frame.stored.affine)
