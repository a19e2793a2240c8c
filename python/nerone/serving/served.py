"""A bundle behind the server: one pipeline, which another can replace while frames are on their way."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.errors import ShapeError
from nerone.evaluation.devices import find_device
from nerone.runtime.frame import Frame
from nerone.runtime.pipeline import Pipeline

__all__ = ["Served"]


class _Open:
    """A bundle with its pipeline, and how many requests use it."""

    def __init__(
        self, path: Path, device: str, threads: int | None, result: Literal["classes", "probabilities"]
    ) -> None:
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
        self.limit = self.pipeline.in_flight_limit
        self.room = asyncio.Semaphore(self.limit)
        self.waiters = ThreadPoolExecutor(self.limit, thread_name_prefix="nerone-serve")
        self.users = 0
        self.unused = asyncio.Event()
        self.unused.set()
        self.began = time.monotonic()

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
        self.version = 1
        self._now = _Open(self.path, device, threads, result)
        self._swap = asyncio.Lock()

    @property
    def bundle(self) -> Bundle:
        """The bundle that new requests get."""
        return self._now.bundle

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that new requests get."""
        return self._now.pipeline

    async def infer(self, image: NDArray[Any], spacing_mm: tuple[float, ...] | None) -> NDArray[Any]:
        """Run one image (H, W) or (H, W, C), or a batch (N, H, W, C); the results of a batch are stacked."""
        if image.ndim not in (2, 3, 4):
            raise ShapeError(f"the image has shape {list(image.shape)}; expected (H, W), (H, W, C) or (N, H, W, C)")
        now = self._now
        now.users += 1
        now.unused.clear()
        try:
            if image.ndim < 4:
                return await self._one(now, image, spacing_mm)
            return np.stack(await asyncio.gather(*(self._one(now, one, spacing_mm) for one in image)))
        finally:
            now.users -= 1
            if not now.users:
                now.unused.set()

    @staticmethod
    async def _one(now: _Open, image: NDArray[Any], spacing_mm: Any) -> NDArray[Any]:
        async with now.room:
            loop = asyncio.get_running_loop()
            # As many are on their way as the engine takes, so that this does not wait for room.
            future = now.pipeline.submit(Frame(image, spacing_mm))
            return np.asarray(await loop.run_in_executor(now.waiters, future.result))

    async def reload(self) -> None:
        """Open the bundle again and let new requests have it; those on their way end on the old one.

        Raises
        ------
        ConfigurationError, ModelError, DeviceError
            where the new one cannot be used; the old one goes on.
        """
        async with self._swap:
            before = self._now
            loop = asyncio.get_running_loop()
            self._now = await loop.run_in_executor(None, _Open, self.path, self._device, self._threads, self.result)
            self.version += 1
            await before.unused.wait()
            await loop.run_in_executor(None, before.close)

    async def close(self) -> None:
        """Close the pipeline."""
        await asyncio.get_running_loop().run_in_executor(None, self._now.close)
