"""The screen's side of a session: the newest frame, encoded once for all viewers, at a rate the run does not feel."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import Executor

from nerone.live.encoding import encode_frame
from nerone.live.session import Session, Shown

__all__ = ["Screen"]

_MAX_RATE_HZ = 30.0
# Share of the machine's processor time that pictures may take while frames are playing.
_SHARE = 0.015


class Screen:
    """Encodes frames for the viewers: at most 30 a second, fewer where encoding would cost the run more than 1.5 %."""

    def __init__(self, session: Session, executor: Executor) -> None:
        self._session = session
        self._executor = executor
        self._encoded: tuple[int, bytes] = (0, b"")
        self._version = 0
        self._busy: asyncio.Lock | None = None
        self._next_s = 0.0

    def refresh(self) -> None:
        """Encode the shown frame again, because the way to show it changed."""
        self._encoded = (0, b"")
        self._version += 1

    async def newer_than(self, sequence: int) -> tuple[int, bytes]:
        """Wait for a frame newer than ``sequence`` and return it with its number."""
        version = self._version
        if self._busy is None:
            self._busy = asyncio.Lock()
        while True:
            async with self._busy:
                shown = self._session.shown
                fresh = shown is not None and (shown.sequence > sequence or version != self._version)
                if shown is not None and fresh:
                    if self._encoded[0] < shown.sequence and (
                        time.monotonic() >= self._next_s or not self._session.playing
                    ):
                        await self._encode(shown)
                    if self._encoded[0] > sequence or version != self._version:
                        return self._encoded
            await asyncio.sleep(1.0 / _MAX_RATE_HZ / 2)

    async def _encode(self, shown: Shown) -> None:
        masks = {} if shown.result.mask is None else {"int8": shown.result.mask}
        masks.update(shown.frame.masks)
        header: dict[str, object] = {"index": shown.index, "sequence": shown.sequence}
        if shown.result.probabilities is not None:
            header["probabilities"] = [float(p) for p in shown.result.probabilities]
        loop = asyncio.get_running_loop()
        began = time.monotonic()
        message = await loop.run_in_executor(
            self._executor, encode_frame, header, shown.frame.image, masks, self._session.window
        )
        cost_s = time.monotonic() - began
        interval_s = max(1.0 / _MAX_RATE_HZ, min(0.25, cost_s / (_SHARE * (os.cpu_count() or 1))))
        self._next_s = began + interval_s
        self._encoded = (shown.sequence, message)
