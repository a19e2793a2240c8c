"""The options of a pipeline, checked before anything is opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nerone import _core
from nerone.compat import dataclass
from nerone.errors import ConfigurationError, check, check_whole
from nerone.runtime.preprocessing import Statistics

__all__ = [
    "BACKENDS",
    "RESULTS",
    "EngineOptions",
    "check_statistics",
    "check_threads_per_image",
    "milliseconds",
    "seconds",
]

BACKENDS = ("vart", "pynq")
RESULTS = ("classes", "probabilities", "real", "raw")


def milliseconds(timeout_ms: object) -> int:
    """Return a timeout as the C++ core takes it: -1 for None, which is for ever, and no other negative number."""
    if timeout_ms is None:
        return -1
    if not isinstance(timeout_ms, (int, float)) or isinstance(timeout_ms, bool) or not timeout_ms < 2**31:
        raise ConfigurationError(f"timeout_ms is {timeout_ms!r}; expected milliseconds below 2**31, or None for ever")
    return max(0, int(timeout_ms))


def seconds(timeout_ms: int) -> float | None:
    """Return what `milliseconds` gave as Python's own waits take it."""
    return None if timeout_ms < 0 else timeout_ms / 1000


def check_statistics(given: object) -> None:
    """Raise ConfigurationError where what was given is neither statistics nor statistics per input."""
    each = given.values() if isinstance(given, Mapping) else given if isinstance(given, (list, tuple)) else (given,)
    for one in each:
        check("statistics", one is None or isinstance(one, Statistics), one, "what volume_statistics gives")


def check_threads_per_image(value: Any) -> None:
    """Raise ConfigurationError where so many threads cannot share an image."""
    check_whole("threads_per_image", value, 1, 64)


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """The options of `nerone.Pipeline`; ConfigurationError where one cannot be."""

    backend: str
    result: str
    threads: int | None
    queue_size: int
    device_timeout_ms: int
    pin_to: tuple[int, ...]
    device: str
    kernels: str
    cores: int
    job_latency_us: int
    compute: bool
    threads_per_image: int

    def __post_init__(self) -> None:
        check("backend", self.backend in BACKENDS, self.backend, " or ".join(BACKENDS))
        check("result", self.result in RESULTS, self.result, ", ".join(RESULTS))
        if self.threads is not None:
            check_whole("threads", self.threads, 1, 1024, other=", or None")
        check_whole("queue_size", self.queue_size, 1, 65536)
        check_whole("device_timeout_ms", self.device_timeout_ms, 0, 2**31 - 1)
        check_whole("cores", self.cores, 0, 2**31 - 1)
        check_whole("job_latency_us", self.job_latency_us, 0, 2**31 - 1)
        check_threads_per_image(self.threads_per_image)
        for core in self.pin_to:
            check_whole("pin_to", core, 0, 2**31 - 1)
        check("device", isinstance(self.device, str), self.device, "a device's name or the path of a runner library")

    def core(self) -> _core.DeviceOptions:
        """Return what the C++ core calls them."""
        return _core.DeviceOptions(
            self.device, self.kernels, self.cores, self.job_latency_us, bool(self.compute), self.threads_per_image
        )
