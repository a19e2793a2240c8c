"""The C++ pool over VART as a pipeline's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from nerone import _core
from nerone.backends.futures import Future
from nerone.backends.options import EngineOptions
from nerone.backends.statistics import Stats
from nerone.bundle.manifest import Manifest
from nerone.compat import zip
from nerone.errors import ShapeError
from nerone.runtime.preprocessing import Spacing

__all__ = ["VartEngine"]

Array = NDArray[Any]


class VartEngine:
    """The C++ pool."""

    def __init__(self, manifest: Manifest, options: EngineOptions) -> None:
        device = options.core()
        self.threads = options.threads if options.threads is not None else _core.default_workers(device)
        self._core = _core.Pipeline(
            manifest.model_for(options.device),
            [one.to_dict() for one in manifest.per_input or (manifest.preprocessing,)],
            options.result,
            device,
            self.threads,
            options.queue_size,
            options.device_timeout_ms,
            list(options.pin_to),
        )
        self.in_flight_limit = self._core.in_flight_limit
        self._inputs = tuple(info.name for info in self._core.inputs)
        self._names = [info.name for info in self._core.results]
        self._flat = manifest.kind == "classification"
        self._classes = options.result == "classes"

    def submit(
        self,
        image: Any,
        spacing_mm: Spacing,
        statistics: Any,
        timeout_ms: int,
    ) -> Future:
        """Queue an image."""
        images, each = ((image,), (statistics,)) if len(self._inputs) == 1 else self._per_input(image, statistics)
        values = None if statistics is None else tuple(None if one is None else one.values for one in each)
        ticket = self._core.submit(images, spacing_mm, values, timeout_ms)
        return Future(ticket, self._result)

    def _per_input(self, image: Any, statistics: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        images = in_order("images", image, self._inputs)
        return images, (None,) * len(images) if statistics is None else in_order("statistics", statistics, self._inputs)

    def _result(self, arrays: list[Array]) -> Any:
        results = [self._shaped(array) for array in arrays]
        return results[0] if len(results) == 1 else dict(zip(self._names, results, strict=True))

    def _shaped(self, array: Array) -> Array:
        without_batch = array.reshape(array.shape[1:]) if array.ndim > 1 and array.shape[0] == 1 else array
        if not self._flat:
            return without_batch
        return array.reshape(()) if self._classes and array.size == 1 else array.reshape(-1)

    def done(self) -> int:
        """Count frames that are done."""
        return self._core.done()

    def wait_past(self, seen: int, timeout_ms: int) -> bool:
        """Wait for one more."""
        return self._core.wait_past(seen, timeout_ms)

    def drain(self, timeout_ms: int) -> None:
        """Wait for all."""
        self._core.drain(timeout_ms)

    def close(self, finish: bool, timeout_ms: int) -> None:
        """End the workers."""
        self._core.close(finish, timeout_ms)

    def stats(self) -> Stats:
        """Return the core's numbers."""
        return Stats.of(self._core.stats())

    def reset_stats(self) -> None:
        """Count from here on."""
        self._core.reset_stats()


def in_order(what: str, given: Any, names: Sequence[str]) -> tuple[Any, ...]:
    """Return what was given for each of a network's inputs, by name or in order, in the network's order."""
    if isinstance(given, Mapping):
        if set(given) != set(names):
            raise ShapeError(f"the {what} are named {sorted(given)}; the network's inputs are {sorted(names)}")
        return tuple(given[name] for name in names)
    if not isinstance(given, (list, tuple)) or len(given) != len(names):
        count = len(given) if isinstance(given, (list, tuple)) else 1
        raise ShapeError(f"got {count} {what}; the network has the inputs {list(names)}: give a dict, or one for each")
    return tuple(given)
