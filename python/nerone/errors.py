"""The errors of NERONE. One root, few children; each is also the builtin error a caller would expect."""

from __future__ import annotations

import builtins

__all__ = [
    "ConfigurationError",
    "DeviceError",
    "DtypeError",
    "Error",
    "ModelError",
    "QueueClosedError",
    "ShapeError",
    "TimeoutError",
    "printable",
]


def printable(text: str) -> str:
    """Return a text without what a terminal would take for commands: names come from files and boards.

    Examples
    --------
    >>> printable("scan" + chr(27) + "[2J.nii").isprintable()
    True
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


class Error(Exception):
    """Root of all errors of NERONE. The message says what, what was got, what was expected and what to do."""


class ShapeError(Error, ValueError):
    """An array has another shape or memory layout than expected."""


class DtypeError(Error, TypeError):
    """An array has another dtype than expected."""


class ModelError(Error, ValueError):
    """A model or model file cannot be used: damaged, of another DPU family, with an op that is missing."""


class DeviceError(Error, RuntimeError):
    """The device, its runner library or its driver failed or is absent."""


class TimeoutError(Error, builtins.TimeoutError):
    """A call did not finish in the time it was given."""


class QueueClosedError(Error, RuntimeError):
    """A frame was submitted to a pipeline that is closed."""


class ConfigurationError(Error, ValueError):
    """A setting cannot work: unknown board or preset, missing file, empty folder."""
