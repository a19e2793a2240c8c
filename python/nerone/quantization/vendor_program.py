"""Runs a program of the vendor's in a folder: its log is shown as it comes, its time is limited."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from nerone.errors import ConfigurationError, TimeoutError

__all__ = ["run_program"]

Log = Callable[[str], None]
# Lines at the end of a log that are looked through for the reason of a failure.
_TAIL = 200


def run_program(words: Sequence[str], folder: Path, time_limit_s: float, log: Log | None = None) -> list[str]:
    """Run a program to its end and return the last lines that it wrote.

    Parameters
    ----------
    words : program and arguments
    folder : where it runs
    time_limit_s : it and what it started are stopped after so many seconds
    log : called with each line of its output and errors; they go to stderr where not given

    Raises
    ------
    ConfigurationError
        It cannot be started, or ends with another exit code than 0.
    TimeoutError
        It took too long.
    """
    try:
        program = subprocess.Popen(
            list(words),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ConfigurationError(
            f"'{words[0]}' cannot be started: {error.strerror}; give the path of the vendor's Python, or a command"
        ) from error
    lines: list[str] = []
    reader = threading.Thread(target=_follow, args=(program, lines, log or _to_stderr), daemon=True)
    reader.start()
    try:
        code = program.wait(time_limit_s)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(
            f"'{words[0]}' was stopped after {time_limit_s:g} s; give a longer time limit or fewer images"
        ) from error
    finally:
        # What it started may outlive it and hold the pipe open.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        reader.join(5.0)
    if code != 0:
        ended = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
        raise ConfigurationError(f"'{words[0]}' {ended}: {_reason(lines)}")
    return lines


def _follow(program: subprocess.Popen[str], lines: list[str], log: Log) -> None:
    assert program.stdout is not None
    for line in program.stdout:
        text = line.rstrip()
        lines.append(text)
        del lines[:-_TAIL]
        log(text)


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _reason(lines: Sequence[str]) -> str:
    """The last line that says something; Python's own errors stand last in a trace."""
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:500] if said else "it said nothing"
