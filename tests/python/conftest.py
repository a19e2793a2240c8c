"""Makes the helpers of this folder importable from every test, and Ctrl-C work in every runner."""

from __future__ import annotations

import signal

from sampling import pytest_addoption, pytest_runtest_logreport, pytest_runtestloop

__all__ = ["pytest_addoption", "pytest_runtest_logreport", "pytest_runtestloop"]

# A runner in the background ignores SIGINT and hands that down; the tests of Ctrl-C need Python's own handler.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
