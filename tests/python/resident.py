"""The memory that this process holds."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def grown_bytes(call: Callable[[], Any], *, enough: int, attempts: int = 5) -> int:
    """Return by how much the process grows in a call, at best.

    What leaks grows in every call; what other tests left running in this process may grow in one. The call is made
    again until it grew by less than ``enough``.
    """
    least = enough
    for _ in range(attempts):
        gc.collect()
        before = resident_bytes()
        call()
        gc.collect()
        least = min(least, resident_bytes() - before)
        if least < enough:
            break
    return least
