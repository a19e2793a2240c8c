"""The protocol of a backend, and the choice of one."""

from __future__ import annotations

import atexit
import contextlib
import weakref
from typing import Any, Protocol

from nerone.backends.futures import Future
from nerone.backends.options import EngineOptions
from nerone.backends.statistics import Stats
from nerone.bundle.manifest import Manifest
from nerone.runtime.preprocessing import Spacing

__all__ = ["Engine", "open_engine"]


# What is open when the interpreter ends is closed first: threads that run on would use what is being torn down.
_open: weakref.WeakSet[Engine] = weakref.WeakSet()
_EXIT_PATIENCE_MS = 2000


class Engine(Protocol):
    """A backend as `nerone.Pipeline` uses it. Timeouts are as `milliseconds` gives them: -1 is for ever."""

    threads: int
    in_flight_limit: int

    def submit(  # noqa: D102
        self,
        image: Any,
        spacing_mm: Spacing,
        statistics: Any,
        timeout_ms: int,
    ) -> Future: ...
    def done(self) -> int: ...  # noqa: D102
    def wait_past(self, seen: int, timeout_ms: int) -> bool: ...  # noqa: D102
    def drain(self, timeout_ms: int) -> None: ...  # noqa: D102
    def close(self, finish: bool, timeout_ms: int) -> None: ...  # noqa: D102
    def stats(self) -> Stats: ...  # noqa: D102
    def reset_stats(self) -> None: ...  # noqa: D102


def open_engine(backend: str, manifest: Manifest, options: EngineOptions) -> Engine:
    """Make the engine of a backend: "vart", the C++ pool, or "pynq", the paper's loop in Python.

    Raises
    ------
    ConfigurationError, ModelError, DeviceError
        where the options do not go with the backend, or the model or the device cannot be used.
    """
    engine: Engine
    if backend == "vart":
        from nerone.backends.vart import VartEngine

        engine = VartEngine(manifest, options)
    else:
        from nerone.backends.pynq.engine import PynqEngine

        engine = PynqEngine(manifest, options)
    atexit.unregister(_close_all)
    atexit.register(_close_all)
    _open.add(engine)
    return engine


def _close_all() -> None:
    for engine in list(_open):
        with contextlib.suppress(Exception):
            engine.close(False, _EXIT_PATIENCE_MS)
