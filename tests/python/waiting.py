"""Waiting for what other threads and processes do, however slow the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

# Longer than any wait of a test that passes.
PATIENT_S = 120.0


def wait_for(condition: Callable[[], Any], seconds: float = PATIENT_S) -> None:
    """Return as soon as the condition holds; AssertionError when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.01)
