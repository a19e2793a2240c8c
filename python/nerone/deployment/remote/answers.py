"""Answers of boards: of bounded size and declared types, whatever a board sends, and without terminal commands."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from nerone.errors import DeviceError, printable_line

__all__ = ["Feeder", "Limits", "collect", "decoded", "typed"]

# The golden frame's outputs, compressed, are the largest that is asked for.
_MAX_BYTES = 256 << 20
_LOOK_S = 0.2


class Feeder(threading.Thread):
    """Writes a process's input on a thread of its own, as a process may stop to read.

    Attributes
    ----------
    feeds : bool, whether there is anything to write
    moved_at : float, `time.monotonic` when the process took its last bytes
    error : what the feeding raised, other than that nobody reads
    """

    def __init__(self, process: subprocess.Popen[bytes], feed: Callable[[Feeder], None] | None) -> None:
        super().__init__(daemon=True, name="nerone-remote-feeder")
        self._feed, self.feeds = feed, feed is not None
        self._pipe, process.stdin = process.stdin, None  # Popen would flush it, and wait
        self.moved_at = time.monotonic()
        self.error: BaseException | None = None

    def write(self, data: bytes) -> int:
        """Hand bytes over and wait until they are taken."""
        if self._pipe is not None:
            self._pipe.write(data)
            self.moved_at = time.monotonic()
        return len(data)

    def run(self) -> None:
        """Feed, and close the input."""
        try:
            if self._feed is not None:
                self._feed(self)
        except BrokenPipeError:
            pass  # the last words of the side that left say more
        except BaseException as error:
            self.error = error
        finally:
            if self._pipe is not None:
                with contextlib.suppress(OSError):
                    self._pipe.close()


@dataclass(frozen=True)
class Limits:
    """Seconds that a process may take: from the last byte that moved, and in all."""

    still_s: float
    most_s: float = math.inf


def collect(process: subprocess.Popen[bytes], limits: Limits, host: str, feeder: Feeder) -> tuple[bytes, bytes]:
    """Wait for a process and return its output and its errors.

    Raises
    ------
    DeviceError
        where it writes more than any answer has.
    subprocess.TimeoutExpired
        where it does not end in time.
    """
    readers = [_Reader(stream, process) for stream in (process.stdout, process.stderr) if stream is not None]
    for reader in readers:
        reader.start()
    start = time.monotonic()
    while process.poll() is None:
        if feeder.error is not None:
            raise feeder.error
        moved_at = feeder.moved_at if feeder.feeds else max(start, *(reader.moved_at for reader in readers))
        for since, limit_s in ((start, limits.most_s), (moved_at, limits.still_s)):
            if time.monotonic() - since >= limit_s:
                raise subprocess.TimeoutExpired(process.args, limit_s)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(limits.still_s, _LOOK_S))
    for thread in (*readers, feeder):
        thread.join(limits.still_s)
        if thread.is_alive():
            raise subprocess.TimeoutExpired(process.args, limits.still_s)
    if feeder.error is not None:
        raise feeder.error
    if any(reader.size > _MAX_BYTES for reader in readers):
        raise DeviceError(f"{host} sends more than {_MAX_BYTES >> 20} MiB; look at what runs there")
    output, said = (b"".join(reader.parts) for reader in readers)
    return output, said


class _Reader(threading.Thread):
    def __init__(self, stream: IO[bytes], process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True, name="nerone-remote-reader")
        self._stream, self._process = stream, process
        self.moved_at = 0.0
        self.parts: list[bytes] = []
        self.size = 0

    def run(self) -> None:
        with self._stream:
            while part := self._stream.read1(1 << 16):  # type: ignore[attr-defined]
                self.moved_at = time.monotonic()
                self.size += len(part)
                if self.size > _MAX_BYTES:
                    self.parts.clear()
                    self._process.kill()
                    return
                self.parts.append(part)


def decoded(text: str, host: str) -> dict[str, Any]:
    """Read an answer.

    Raises
    ------
    DeviceError
        where it is no JSON object.
    """
    try:
        answer = _clean(json.loads(text))
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise other_form(host)
    return answer


def other_form(host: str) -> DeviceError:
    """Return the error for an answer that is not as this version gives it."""
    return DeviceError(f"{host} answers in another form; install the same version of NERONE on both and deploy again")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return printable_line(value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {printable_line(name): _clean(one) for name, one in value.items()}
    return value


def typed(answer: Mapping[str, Any], types: Mapping[str, type], host: str) -> dict[str, Any]:
    """Return the named values of an answer; of lists and objects every value is a text.

    Raises
    ------
    DeviceError
        where one is missing or of another type.
    """
    values = {}
    for name, kind in types.items():
        value = answer.get(name)
        if type(value) is not kind:
            raise other_form(host)
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if not all(isinstance(one, str) for one in inner):
            raise other_form(host)
        values[name] = value
    return values
