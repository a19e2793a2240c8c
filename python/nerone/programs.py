"""Runs an external program: shows its lines as they come, limits its time, leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

__all__ = ["run_program"]

_POLL_S = 0.1
_GRACE_S = 2.0
# A process that left the program's group may hold the pipe open for ever.
_LAST_LINES_S = 5.0

_Lines = queue.SimpleQueue[str]


def run_program(
    words: Sequence[str],
    folder: Path,
    time_limit_s: float,
    on_line: Callable[[str], None],
    *,
    clear_up: Callable[[], None] | None = None,
) -> int:
    """Run a program to its end and return its exit code.

    It has no input, and a session of its own: Ctrl-C reaches the caller alone, which stops the program then. What the
    program started and left running is ended with it.

    Parameters
    ----------
    words : program and arguments
    folder : where it runs
    time_limit_s : float, the program is stopped after so many seconds
    on_line : called on the caller's thread with each line of its output and errors, without the line's end
    clear_up : called before a program is stopped, for what a signal does not reach, such as a container

    Returns
    -------
    int, as `subprocess.Popen.returncode`: a negative number is the signal that ended the program

    Raises
    ------
    OSError
        It cannot be started.
    subprocess.TimeoutExpired
        It took too long. The caller knows what the user calls the program and how the limit is raised.
    """
    process = subprocess.Popen(
        list(words),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    lines: _Lines = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        _follow(process, lines, time_limit_s, on_line)
    except BaseException:
        if clear_up is not None:
            clear_up()
        _terminate(process)
        raise
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()
        reader.join(_LAST_LINES_S)
    while not lines.empty():
        on_line(lines.get())
    return process.returncode


def _read(pipe: IO[str], lines: _Lines) -> None:
    with pipe:
        for line in pipe:
            lines.put(line.rstrip("\r\n"))


def _follow(process: subprocess.Popen[str], lines: _Lines, time_limit_s: float, on_line: Callable[[str], None]) -> None:
    """Pass lines on until the program ends: the pipe's end says less, as others may hold it open or close it early."""
    deadline = time.monotonic() + time_limit_s
    while process.poll() is None:
        if time.monotonic() >= deadline:
            raise subprocess.TimeoutExpired(process.args, time_limit_s)
        with contextlib.suppress(queue.Empty):
            on_line(lines.get(timeout=_POLL_S))


def _terminate(process: subprocess.Popen[str]) -> None:
    _signal_group(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_S)


def _signal_group(process: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
