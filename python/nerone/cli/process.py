"""Process-wide duties of the command line: signals, memory and output."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from nerone import starting
from nerone.errors import ConfigurationError

__all__ = [
    "PLAIN_LINES",
    "drop_output",
    "flush_output",
    "is_full",
    "log_on_stderr",
    "memory_option",
    "open_missing_streams",
    "signals_as_ctrl_c",
]

PLAIN_LINES = logging.Formatter("%(message)s")
"""A log as words for whoever waits for a command."""

_UNITS = ("", "k", "m", "g", "t")
_MEMORY = "NERONE_MAX_MEMORY"


@contextlib.contextmanager
def signals_as_ctrl_c() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end what runs in the block as Ctrl-C does: everything temporary is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A handler of somebody else's stays, and so does nohup's ignoring.
    replaced = (signal.SIG_DFL, starting.leave)
    wanted = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) in replaced]
    if signal.getsignal(signal.SIGINT) == starting.leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in wanted:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in wanted:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(signal.SIGINT, frame)
    else:
        raise KeyboardInterrupt


@contextlib.contextmanager
def log_on_stderr(name: str, lines: logging.Formatter, level: int) -> Iterator[None]:
    """Show a package's log on stderr, and nowhere else, while the block runs."""
    logger, handler = logging.getLogger(name), logging.StreamHandler(sys.stderr)
    handler.setFormatter(lines)
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


@contextlib.contextmanager
def memory_option(words: list[str]) -> Iterator[list[str]]:
    """Take --max-memory, which may stand anywhere, out of the words; in the block it is what models may take.

    Raises
    ------
    ConfigurationError
        where its value is no size, such as 6GB.
    """
    rest, before = [], os.environ.get(_MEMORY)
    given: str | None = None
    waiting = iter(words)
    for word in waiting:
        if word == "--max-memory":
            given = next(waiting, "")
        elif word.startswith("--max-memory="):
            given = word.partition("=")[2]
        else:
            rest.append(word)
    if given is not None:
        os.environ[_MEMORY] = str(_bytes(given))
    try:
        yield rest
    finally:
        os.environ.pop(_MEMORY, None)
        if before is not None:
            os.environ[_MEMORY] = before


def _bytes(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([kmgt]?)(i?)b?", text.strip().lower())
    value = 0
    if match:
        exponent = _UNITS.index(match[2])
        value = int(float(match[1]) * (1024**exponent if match[3] else 1000**exponent))
    if value < 1:
        raise ConfigurationError(f"--max-memory is '{text}', expected a size such as 6GB or 512MB")
    return value


def is_full(error: OSError) -> bool:
    """Whether it says that a disk, or what stands for one, takes no more."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def flush_output() -> None:
    """Write what is still buffered; after an error keep the interpreter from writing it again.

    Raises
    ------
    OSError
        where the output cannot be written; BrokenPipeError where its reader left.
    """
    try:
        sys.stdout.flush()
    except OSError:
        drop_output()
        raise


def drop_output(stream: Any = None) -> None:
    """Send what is still buffered for a stream, stdout where none is given, nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), (stream or sys.stdout).fileno())


def open_missing_streams() -> None:
    """Send standard streams that the process was started without nowhere, before a file takes their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
