"""A bundle behind the server: one pipeline, which another can replace while frames are on their way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.data.value_range import ValueNotes
from nerone.errors import ShapeError, TimeoutError
from nerone.evaluation.devices import find_device
from nerone.runtime.frame import Frame
from nerone.runtime.pipeline import Pipeline

__all__ = ["Inferred", "Served", "model_name"]

_LOG = logging.getLogger("nerone.serving")

_T = TypeVar("_T")


def model_name(path: str | Path) -> str:
    """Return what a bundle's model is called: as its folder is, without ".nerone"."""
    return Path(path).resolve().name.removesuffix(".nerone")


@dataclass(frozen=True)
class Inferred:
    """Answer of a network.

    Attributes
    ----------
    result : of a batch stacked
    version : of the bundle
    notes : sentences on what is unusual about the images
    """

    result: NDArray[Any]
    version: int
    notes: tuple[str, ...]


class _Open:
    """A bundle with its pipeline, and how many requests use it; made on any thread, then used by the event loop's."""

    def __init__(
        self, path: Path, version: int, device: str, threads: int | None, result: Literal["classes", "probabilities"]
    ) -> None:
        self.name, self.version = model_name(path), version
        self.bundle = Bundle.open(path)
        runs_on = find_device(device, self.bundle.host_model_path, preset=self.bundle.preset)
        self.pipeline = Pipeline(
            self.bundle,
            device=runs_on.device,
            threads=threads,
            result=result,
            cores=runs_on.cores,
            job_latency_us=runs_on.job_latency_us,
            compute=not runs_on.simulated,
        )
        self.values = ValueNotes(self.bundle.calibration_values(), self.bundle.preprocessing)
        self.noted = False
        self.waiters = ThreadPoolExecutor(self.pipeline.in_flight_limit, thread_name_prefix="nerone-serve")

    def enter_loop(self) -> _Open:
        """Make what belongs to the running loop."""
        self.room = asyncio.Semaphore(self.pipeline.in_flight_limit)
        self.users = 0
        self.unused = asyncio.Event()
        self.unused.set()
        return self

    def close(self) -> None:
        self.pipeline.close()
        self.waiters.shutdown()


class Served:
    """One model of the server.

    Parameters
    ----------
    path : folder of a bundle
    device, threads, result : as for `nerone.Pipeline`; a simulated board computes nothing

    Raises
    ------
    ConfigurationError, ModelError, DeviceError
        where the bundle or the device cannot be used.
    """

    def __init__(
        self, path: str | Path, device: str, threads: int | None, result: Literal["classes", "probabilities"]
    ) -> None:
        self.path, self._device, self._threads, self.result = Path(path), device, threads, result
        self._now = _Open(self.path, 1, device, threads, result).enter_loop()
        self._swap = asyncio.Lock()

    @property
    def version(self) -> int:
        """One more each time the bundle was replaced."""
        return self._now.version

    @property
    def bundle(self) -> Bundle:
        """The bundle that new requests get."""
        return self._now.bundle

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that new requests get."""
        return self._now.pipeline

    @contextlib.contextmanager
    def _held(self) -> Iterator[_Open]:
        """Give what is open now, and keep it open until the block ends."""
        now = self._now
        now.users += 1
        now.unused.clear()
        try:
            yield now
        finally:
            now.users -= 1
            if not now.users:
                now.unused.set()

    async def infer(self, image: NDArray[Any], spacing_mm: tuple[float, ...] | None) -> Inferred:
        """Run one image (H, W) or (H, W, C), or a batch (N, H, W, C), all of it through one network."""
        if image.ndim not in (2, 3, 4):
            raise ShapeError(f"the image has shape {list(image.shape)}; expected (H, W), (H, W, C) or (N, H, W, C)")
        with self._held() as now:
            images = list(image) if image.ndim == 4 else [image]
            running = asyncio.gather(*(self._one(now, one, spacing_mm) for one in images))
            found, notes = await asyncio.gather(running, self._notes(now, images))
            return Inferred(np.stack(found) if image.ndim == 4 else found[0], now.version, notes)

    @staticmethod
    async def _notes(now: _Open, images: list[NDArray[Any]]) -> tuple[str, ...]:
        """Compare with the calibration images while the device computes; the first note of a bundle is logged."""
        if not now.values.compares or not all(image.size for image in images):
            return ()
        notes = await asyncio.get_running_loop().run_in_executor(None, now.values.of, images)
        if notes and not now.noted:
            now.noted = True
            _LOG.warning("an image: %s", notes[0], extra={"model": now.name})
        return notes

    @staticmethod
    async def _one(now: _Open, image: NDArray[Any], spacing_mm: Any) -> NDArray[Any]:
        async with now.room:
            loop, frame = asyncio.get_running_loop(), Frame(image, spacing_mm)
            try:
                future = now.pipeline.submit(frame, timeout_ms=0)
            except TimeoutError:  # frames of a scan take the room
                future = await loop.run_in_executor(now.waiters, now.pipeline.submit, frame)
            return np.asarray(await loop.run_in_executor(now.waiters, future.result))

    async def with_pipeline(self, work: Callable[[Bundle, Pipeline], _T]) -> _T:
        """Do something longer with bundle and pipeline on a thread of its own."""
        with self._held() as now:
            return await asyncio.get_running_loop().run_in_executor(None, work, now.bundle, now.pipeline)

    async def reload(self) -> None:
        """Open the bundle again and let new requests have it; those on their way end on the old one.

        Raises
        ------
        ConfigurationError, ModelError, DeviceError
            where the new one cannot be used; the old one goes on.
        """
        async with self._swap:
            before, loop = self._now, asyncio.get_running_loop()
            settings = (self.path, before.version + 1, self._device, self._threads, self.result)
            self._now = (await loop.run_in_executor(None, _Open, *settings)).enter_loop()
            await before.unused.wait()
            await loop.run_in_executor(None, before.close)

    async def close(self) -> None:
        """Close the pipeline."""
        await asyncio.get_running_loop().run_in_executor(None, self._now.close)
