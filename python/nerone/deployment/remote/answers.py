"""Answers of boards: of bounded size and declared types, whatever a board sends, and without terminal commands."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Mapping
from typing import IO, Any

from nerone.errors import DeviceError, printable

__all__ = ["collect", "decoded", "typed"]

# The golden frame's outputs, compressed, are the largest that is asked for.
_MAX_BYTES = 256 << 20


def collect(process: subprocess.Popen[bytes], timeout_s: float | None, host: str) -> tuple[bytes, bytes]:
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
    process.wait(timeout_s)
    for reader in readers:
        reader.join(timeout_s)
        if reader.is_alive():
            raise subprocess.TimeoutExpired(process.args, timeout_s or 0.0)
    if any(reader.size > _MAX_BYTES for reader in readers):
        raise DeviceError(f"{host} sends more than {_MAX_BYTES >> 20} MiB; look at what runs there")
    output, said = (b"".join(reader.parts) for reader in readers)
    return output, said


class _Reader(threading.Thread):
    def __init__(self, stream: IO[bytes], process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True, name="nerone-remote-reader")
        self._stream, self._process = stream, process
        self.parts: list[bytes] = []
        self.size = 0

    def run(self) -> None:
        while part := self._stream.read1(1 << 16):  # type: ignore[attr-defined]
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
        return printable(value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {printable(name): _clean(one) for name, one in value.items()}
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
