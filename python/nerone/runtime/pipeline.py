"""A bundle at full speed: images in, masks out, over worker threads that own runners."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from nerone.backends.engine import Engine, open_engine
from nerone.backends.futures import Future, failed
from nerone.backends.options import EngineOptions, check_statistics, milliseconds
from nerone.backends.statistics import Stats
from nerone.bundle.manifest import BundleLike, Manifest, read_manifest
from nerone.errors import ConfigurationError, DtypeError, QueueClosedError, ShapeError, TimeoutError, check
from nerone.runtime.frame import Frame, Images
from nerone.runtime.preprocessing import Preprocessing, Spacing
from nerone.runtime.preprocessing.image_grid import on_image_grid

__all__ = ["Frame", "Pipeline"]


class Pipeline:
    """Runs a bundle on many images at once.

    Parameters
    ----------
    bundle : path of a bundle's folder, or a `nerone.Bundle`; or path of a .xmodel file, with ``preprocessing``
    threads : int, worker threads, each with a runner of its own; None chooses by the device's cores and the host's
    backend : "vart" (C++), or "pynq" (the paper's loop in Python, for comparison)
    result : "classes" (first maximum over the channels), "probabilities" (softmax), "real" (float32 values) or "raw"
    result_grid : "network", where masks lie as the network gives them, or "image": each mask is carried back to the
        grid of its image, 0 where the preprocessing cut the image or the network covers less; of "classes" only
    preprocessing : instead of the bundle's; for a network of several inputs also a sequence of them, one per input
    device : "softdpu", "board", or path of a VART runner library
    kernels, cores, job_latency_us, compute, threads_per_image : of the software DPU, as for `nerone.Model.load`
    queue_size : int, images that wait for a worker; when it is full, `submit` waits
    device_timeout_ms : int, how long a job may take before its worker is given up and replaced; 0 for ever
    pin_to : CPU cores for the workers, in turn; empty lets the system choose

    Raises
    ------
    ConfigurationError, ModelError, DeviceError
        where the bundle, an option or the device cannot be used.

    Examples
    --------
    >>> from nerone.runtime.pipeline import Pipeline
    >>> with Pipeline(tiny_xmodel, result="real", threads=1) as pipeline:
    ...     for mask in pipeline.map([np.full((2, 2), 0.5, np.float32)] * 2):
    ...         print(mask.shape, mask.max())
    (2, 2, 1) 1.0
    (2, 2, 1) 1.0
    """

    def __init__(
        self,
        bundle: str | Path | BundleLike,
        *,
        threads: int | None = None,
        backend: Literal["vart", "pynq"] = "vart",
        result: Literal["classes", "probabilities", "real", "raw"] = "classes",
        result_grid: Literal["network", "image"] = "network",
        preprocessing: Preprocessing | Sequence[Preprocessing] | None = None,
        device: str = "softdpu",
        kernels: str = "auto",
        cores: int = 0,
        job_latency_us: int = 0,
        compute: bool = True,
        threads_per_image: int = 1,
        queue_size: int = 8,
        device_timeout_ms: int = 10_000,
        pin_to: Sequence[int] = (),
    ) -> None:
        self.manifest = _manifest(bundle, preprocessing)
        options = EngineOptions(
            backend=backend,
            result=result,
            threads=threads,
            queue_size=queue_size,
            device_timeout_ms=device_timeout_ms,
            pin_to=tuple(pin_to),
            device=device,
            kernels=kernels,
            cores=cores,
            job_latency_us=job_latency_us,
            compute=compute,
            threads_per_image=threads_per_image,
        )
        check("result_grid", result_grid in ("network", "image"), result_grid, "network or image")
        if result_grid == "image":
            check("result", result == "classes", result, "classes, the one result that goes to the image's grid")
        self._on_image = result_grid == "image"
        self.backend = backend
        self._engine: Engine = open_engine(backend, self.manifest, options)
        self._closed = False

    @property
    def threads(self) -> int:
        """Worker threads."""
        return self._engine.threads

    @property
    def in_flight_limit(self) -> int:
        """Images that may be on their way at once: those that wait and those in the workers' hands."""
        return self._engine.in_flight_limit

    def submit(
        self,
        image: Images | Frame,
        *,
        spacing_mm: Spacing = None,
        statistics: Any = None,
        timeout_ms: int | None = None,
    ) -> Future:
        """Queue an image and return its future. The image must not change until it is done.

        Parameters
        ----------
        image : (H, W) or (H, W, C) array, taken as it is, or C arrays (H, W), or a `Frame` of them
        spacing_mm, statistics : as for `Frame`
        timeout_ms : how long to wait while the queue is full; None for ever

        Raises
        ------
        TimeoutError, QueueClosedError, DeviceError
            where the queue stays full, the pipeline is closed, or no worker is left. An image that does not fit
            fails its own future only.
        """
        if self._closed:
            raise QueueClosedError("the pipeline is closed; open it again")
        frame = image if isinstance(image, Frame) else Frame(image, spacing_mm, statistics)
        wait_ms = milliseconds(timeout_ms)
        try:
            check_statistics(frame.statistics)
            future = self._engine.submit(frame.image, frame.spacing_mm, frame.statistics, wait_ms)
            return future.then(_Placing(self.manifest, frame)) if self._on_image else future
        except (ShapeError, DtypeError, ConfigurationError) as error:
            return failed(error)

    def run(
        self,
        image: Images | Frame,
        *,
        spacing_mm: Spacing = None,
        statistics: Any = None,
        timeout_ms: int | None = None,
    ) -> Any:
        """Run one image and return its result.

        Parameters
        ----------
        image, spacing_mm, statistics, timeout_ms : as for `submit`

        Returns
        -------
        (h, w) uint8 classes of a segmentation on the network's own grid, or (H, W) on the image's where
        ``result_grid`` is "image"; () uint8 class of a classification; for other ``result`` settings the network's
        output without the batch axis; a dict of them by name where the network has several outputs
        """
        future = self.submit(image, spacing_mm=spacing_mm, statistics=statistics, timeout_ms=timeout_ms)
        return future.result(timeout_ms)

    def map(
        self,
        images: Iterable[Images | Frame],
        *,
        on_error: Literal["raise", "yield"] = "raise",
        timeout_ms: int | None = None,
    ) -> Iterator[Any]:
        """Run images as they come and give their results in order.

        Lazy and bounded: an image is taken when there is room for it, and a result that nobody asks for stops the rest.

        Parameters
        ----------
        images : iterable of images or `Frame`
        on_error : "raise" the error of a frame at its place, or "yield" it as its result and go on
        timeout_ms : how long to wait for each result; None for ever. TimeoutError ends the iteration.
        """
        check("on_error", on_error in ("raise", "yield"), on_error, "raise or yield")
        waiting: deque[Future] = deque()
        for image in images:
            while len(waiting) >= self.in_flight_limit or (waiting and waiting[0].done()):
                yield _outcome(waiting.popleft(), on_error, timeout_ms)
            waiting.append(self.submit(image))
        while waiting:
            yield _outcome(waiting.popleft(), on_error, timeout_ms)

    def as_completed(
        self, images: Iterable[Images | Frame], *, timeout_ms: int | None = None
    ) -> Iterator[tuple[int, Any]]:
        """Run images and give (index, result) in the order in which they are done; an error is given as its result.

        ``timeout_ms`` is how long to wait for the next one; None for ever. TimeoutError ends the iteration.
        """
        waiting: dict[int, Future] = {}
        for index, image in enumerate(images):
            while len(waiting) >= self.in_flight_limit:
                yield from self._done(waiting, timeout_ms)
            waiting[index] = self.submit(image)
        while waiting:
            yield from self._done(waiting, timeout_ms)

    def _done(self, waiting: dict[int, Future], timeout_ms: int | None) -> Iterator[tuple[int, Any]]:
        end = None if timeout_ms is None else time.monotonic() + milliseconds(timeout_ms) / 1e3
        while True:
            seen = self._engine.done()
            ready = [index for index, future in waiting.items() if future.done()]
            if ready:
                break
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"no frame is done after {timeout_ms} ms; allow more time")
            left_ms = 1000 if end is None else min(1000, 1 + int(1e3 * max(0.0, end - time.monotonic())))
            self._engine.wait_past(seen, left_ms)
        for index in ready:
            yield index, _outcome(waiting.pop(index), "yield")

    async def run_async(self, image: Images | Frame) -> Any:
        """Run one image without blocking the event loop; cancelling gives the result up."""
        return await (await self._submit_async(image))

    async def map_async(
        self, images: Iterable[Images | Frame], *, on_error: Literal["raise", "yield"] = "raise"
    ) -> AsyncIterator[Any]:
        """Like `map`, for ``async for``."""
        check("on_error", on_error in ("raise", "yield"), on_error, "raise or yield")
        waiting: deque[Future] = deque()
        for image in images:
            while len(waiting) >= self.in_flight_limit or (waiting and waiting[0].done()):
                yield await _outcome_async(waiting.popleft(), on_error)
            waiting.append(await self._submit_async(image))
        while waiting:
            yield await _outcome_async(waiting.popleft(), on_error)

    async def _submit_async(self, image: Images | Frame) -> Future:
        try:
            return self.submit(image, timeout_ms=0)
        except TimeoutError:
            return await asyncio.to_thread(self.submit, image)

    def drain(self, timeout_ms: int | None = None) -> None:
        """Wait until every submitted image is done; TimeoutError where that takes longer."""
        self._engine.drain(milliseconds(timeout_ms))

    def close(self, *, finish: bool = True, timeout_ms: int | None = None) -> None:
        """Accept no more images and end the workers. Results that are there can still be collected.

        Parameters
        ----------
        finish : do the images that wait; otherwise they fail with QueueClosedError
        timeout_ms : how long to wait for busy workers; None for ever

        Raises
        ------
        TimeoutError
            where workers are still busy; the pipeline is closed nevertheless.
        """
        self._closed = True
        self._engine.close(finish, milliseconds(timeout_ms))

    def stats(self) -> Stats:
        """Return frames, frames per second and milliseconds per stage since the beginning, or `reset_stats`."""
        return self._engine.stats()

    def reset_stats(self) -> None:
        """Count from here on."""
        self._engine.reset_stats()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(finish=kind is None)


def _manifest(
    bundle: str | Path | BundleLike, preprocessing: Preprocessing | Sequence[Preprocessing] | None
) -> Manifest:
    if isinstance(bundle, (str, Path)) and Path(bundle).is_file():
        manifest = Manifest(Path(bundle), None, Preprocessing(()), "segmentation")
    else:
        manifest = read_manifest(bundle)
    if preprocessing is None:
        return manifest
    if isinstance(preprocessing, Preprocessing):
        return replace(manifest, preprocessing=preprocessing)
    each = tuple(preprocessing)
    check("preprocessing", all(isinstance(one, Preprocessing) for one in each) and bool(each), each, "Preprocessing")
    return replace(manifest, preprocessing=each[0], per_input=each)


class _Placing:
    """Carries the masks of one frame to the grid of its image; of several inputs, the first one's."""

    def __init__(self, manifest: Manifest, frame: Frame) -> None:
        self._steps, self._covers = manifest.preprocessing, manifest.covers
        self._spacing_mm = frame.spacing_mm
        image: Any = frame.image
        while isinstance(image, (Mapping, Sequence)):
            image = next(iter(image.values() if isinstance(image, Mapping) else image))
        self._size = (int(image.shape[0]), int(image.shape[1]))

    def __call__(self, found: Any) -> Any:
        if isinstance(found, Mapping):
            return {name: self(one) for name, one in found.items()}
        if found.ndim != 2:
            return found
        return on_image_grid(self._steps, found, self._size, spacing_mm=self._spacing_mm, covers=self._covers)


def _outcome(future: Future, on_error: str, timeout_ms: int | None = None) -> Any:
    if on_error == "raise":
        return future.result(timeout_ms)
    error = future.exception(timeout_ms)
    return future.result() if error is None else error


async def _outcome_async(future: Future, on_error: str) -> Any:
    try:
        return await future
    except Exception as error:
        if on_error == "raise":
            raise
        return error
