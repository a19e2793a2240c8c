"""The errors of NERONE. One root, few children; each is also the builtin error a caller would expect."""

from __future__ import annotations

import builtins
import contextlib
import unicodedata
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "ConfigurationError",
    "DeviceError",
    "DtypeError",
    "Error",
    "ModelError",
    "QueueClosedError",
    "ShapeError",
    "TimeoutError",
    "model_errors",
    "printable",
    "printable_line",
]


def printable(text: str) -> str:
    """Return a text without what a terminal would take for commands: names come from files and boards.

    Spaces of all scripts stay; control characters, marks that turn the direction of writing, and bytes that are no
    UTF-8 become the replacement character.

    Examples
    --------
    >>> printable("scan" + chr(27) + "[2J.nii").isprintable()
    True
    """
    if text.isprintable():
        return text
    return "".join(c if _is_harmless(c) else "\N{REPLACEMENT CHARACTER}" for c in text)


def printable_line(text: str) -> str:
    """Return :func:`printable` text on one line: a line break in a name becomes the replacement character too.

    Examples
    --------
    >>> printable_line("scan" + chr(10) + "all is well.nii").isprintable()
    True
    """
    return printable(text).replace("\n", "\N{REPLACEMENT CHARACTER}").replace("\t", " ")


def _is_harmless(character: str) -> bool:
    return character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs"


class Error(Exception):
    """Root of all errors of NERONE. The message says what, what was got, what was expected and what to do."""

    def __str__(self) -> str:
        # A trace, a log and a page show it as they find it: on one line, which a name in it cannot end.
        return printable(" ".join(super().__str__().splitlines()))


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


@contextlib.contextmanager
def model_errors(file: Path | str, remedy: str = "export the model again") -> Iterator[None]:
    """Raise ModelError, naming the file, in place of what a library or an importer raises about its content.

    Whatever a reader of models stumbles over is the file's fault: files come from strangers. NERONE's own errors pass,
    and so does ImportError: a missing package is reported elsewhere, with what to install.
    """
    try:
        yield
    except (Error, ImportError):
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise ModelError(f"'{file}' cannot be imported ({reason}); {remedy}") from error
