"""The first tenths of a second of the program ``nerone``, in which it imports: a signal ends it without a trace.

Imported first by the package, so that there is no moment before it. In any other program it changes nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

__all__ = ["SIGNALS", "leave"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def leave(number: int, frame: FrameType | None) -> None:
    """End the process as an interrupted command; nothing temporary was made yet."""
    try:
        os.write(2, b"nerone: interrupted\n")
    finally:
        os._exit(130)


def _is_program() -> bool:
    started = getattr(sys, "orig_argv", [])  # Python 3.9 lacks it
    as_module = "-m" in started and started[started.index("-m") + 1 :][:1] == ["nerone.cli.main"]
    return as_module or os.path.basename(sys.argv[0] if sys.argv else "") == "nerone"  # noqa: PTH119


def _prepare() -> None:
    for number in SIGNALS:
        # A handler of somebody else's stays, and so does nohup's ignoring.
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, leave)


if _is_program():
    _prepare()
